//! Embeddings of tokens that are added to the values of attention, each head's part weighed by a gate.
//!
//! A head's weight is 1 + u / sqrt(1 + u^2), where u is the product of the first channels of a block's normalized input and
//! a row of the gate's matrix.

use super::Sizes;
use crate::level::{Level, Work};
use crate::matmul::{Matrix, Panels, Product, Start};
use crate::rows;
use crate::vector::Vector;

/// Embeddings and the gate that weighs them.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The gate's matrix: for each head a row of as many channels as it sees.
    pub gate: &'a [f32],
    /// An embedding of each position.
    pub embedding: &'a [f32],
}

/// Their gradients.
#[derive(Debug)]
pub struct ValueGradients<'a> {
    /// Of the gate's matrix; added to, row by row.
    pub gate: &'a mut [f32],
    /// Of the embeddings; overwritten.
    pub embedding: &'a mut [f32],
}

/// Adds weighed embeddings to values.
pub(super) struct AddWeighed<'a> {
    pub head_width: usize,
    pub u: &'a [f32],
    pub embedding: &'a [f32],
    pub values: &'a mut [f32],
}

impl Work for AddWeighed<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let heads = self.embedding.chunks_exact(self.head_width).zip(self.u);
        for ((embedding, u), values) in heads.zip(self.values.chunks_exact_mut(self.head_width)) {
            let weight = V::splat(1.0 + u / (1.0 + u * u).sqrt());
            rows::update::<V, 1>(values, [embedding], |value, [embedding]| {
                embedding.mul_add(weight, value)
            });
        }
    }
}

/// Computes the gradients of embeddings and of u from those of the values, and adds that of the normalized input.
pub(super) fn backward(
    level: Level,
    sizes: &Sizes,
    gate: Panels<'_>,
    [u, embedding, dvalues]: [&[f32]; 3],
    [dembedding, du, dnormed]: [&mut [f32]; 3],
) {
    level.run(Backward {
        head_width: sizes.d_model / sizes.num_heads,
        u,
        embedding,
        dvalues,
        dembedding,
        du: &mut *du,
    });
    let product = Product {
        a: Matrix::by_rows(du, du.len() / sizes.num_heads, sizes.num_heads),
        panels: gate,
        c: dnormed,
        stride: sizes.d_model,
        num_columns: sizes.value_channels,
        start: Start::Sum,
    };
    level.run_product(gate.precision, product);
}

struct Backward<'a> {
    head_width: usize,
    u: &'a [f32],
    embedding: &'a [f32],
    dvalues: &'a [f32],
    dembedding: &'a mut [f32],
    du: &'a mut [f32],
}

impl Work for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.head_width;
        let heads = self.embedding.chunks_exact(width).zip(self.dvalues.chunks_exact(width));
        let results = self.dembedding.chunks_exact_mut(width).zip(self.du);
        for (((embedding, dvalues), u), (dembedding, du)) in heads.zip(self.u).zip(results) {
            let square = 1.0 + u * u;
            let root = square.sqrt();
            let weight = V::splat(1.0 + u / root);
            rows::map::<V, 1, 1>([dvalues], [dembedding], |[dvalue]| [dvalue.mul(weight)]);
            let dweight = rows::sum::<V, 2>([dvalues, embedding], |sum, [dvalue, embedding]| {
                dvalue.mul_add(embedding, sum)
            });
            *du = dweight / (square * root);
        }
    }
}
