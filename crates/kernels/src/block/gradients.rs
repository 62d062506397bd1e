//! The intermediate results of a block's backward pass, and the gradients of its weights, which are products of these.

use super::Sizes;
use crate::level::Level;
use crate::matmul::{pack_shared, padded_columns, Matrix, Precision, Product, Start};
use crate::norm::{self, PIECE_COLUMNS};
use crate::pool::{Pool, Task};
use crate::vector::MAX_TILE_ROWS;

/// Rows of a weight's gradient that a thread takes at a time, at the most: whole tiles of every level.
const PIECE_OUTPUTS: usize = 96;

/// Pieces that a thread has of all weights' gradients, at the least if there are rows enough: threads wait for the last.
const PIECES_A_THREAD: usize = 12;

/// The intermediate results of some sequences.
pub(super) struct Results<'a> {
    /// The network's gate and the gradients of its two inputs; then those of queries, keys and values.
    pub inner: [&'a mut [f32]; 3],
    /// The gradients of normalized queries and keys, where they are.
    pub heads: [&'a mut [f32]; 2],
    /// Those of what the gates of embeddings are computed from, if there are any.
    pub dvalue_gates: &'a mut [f32],
    pub normed: &'a mut [f32],
    pub dnormed: &'a mut [f32],
    pub dattended: &'a mut [f32],
    pub packed: &'a mut [f32],
}

impl<'a> Results<'a> {
    pub fn len(sizes: &Sizes, level: Level, num_rows: usize) -> usize {
        let inner = sizes.d_ff.max(sizes.d_model);
        let wide = if sizes.norms_heads { 5 } else { 3 } * sizes.d_model;
        let gates = if sizes.value_channels > 0 { sizes.num_heads } else { 0 };
        num_rows * (3 * inner + wide + gates) + Self::packed_len(sizes, level, num_rows)
    }

    /// The packed rows that gradients of weights sum over: at most a gate's and two of the residual stream's width.
    fn packed_len(sizes: &Sizes, level: Level, num_rows: usize) -> usize {
        num_rows * (padded_columns(level, sizes.d_ff) + 2 * padded_columns(level, sizes.d_model))
    }

    pub fn divide(sizes: &Sizes, level: Level, mut memory: &'a mut [f32]) -> Self {
        let num_rows = sizes.num_rows();
        let inner = num_rows * sizes.d_ff.max(sizes.d_model);
        let heads = if sizes.norms_heads { num_rows * sizes.d_model } else { 0 };
        let mut take = |len| memory.split_off_mut(..len).expect("memory for all");
        Self {
            inner: [take(inner), take(inner), take(inner)],
            heads: [take(heads), take(heads)],
            dvalue_gates: take(sizes.value_gates_len()),
            normed: take(num_rows * sizes.d_model),
            dnormed: take(num_rows * sizes.d_model),
            dattended: take(num_rows * sizes.d_model),
            packed: take(Self::packed_len(sizes, level, num_rows)),
        }
    }
}

/// The gradient of a norm's weight, and what it is computed from.
pub(super) struct NormGradient<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub inverse_rms: &'a [f32],
    pub dweight: &'a mut [f32],
}

/// How sums over rows are computed.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    pub pool: &'a Pool,
    pub level: Level,
    pub precision: Precision,
    pub num_rows: usize,
}

/// Adds the gradients of some weights, each given by the number of its input, and of norms'. A weight has as many columns as
/// its input, or sees only the first of them.
pub(super) fn add<const N: usize>(
    sums: Sums<'_>,
    packed: &mut [f32],
    inputs: [(&[f32], usize); N],
    products: Vec<(usize, usize, &[f32], &mut [f32])>,
    norms: Vec<NormGradient<'_>>,
) {
    let Sums {
        pool,
        level,
        precision,
        num_rows,
    } = sums;
    let matrices = inputs.map(|(input, width)| Matrix::by_rows(input, num_rows, width));
    let panels = pack_shared(pool, precision, level, matrices, packed);
    let all_outputs: usize = products.iter().map(|(_, _, doutput, _)| doutput.len() / num_rows).sum();
    let share = all_outputs.div_ceil(PIECES_A_THREAD * pool.num_threads());
    let outputs = share.next_multiple_of(MAX_TILE_ROWS).min(PIECE_OUTPUTS);
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for (number, width, doutput, dweight) in products {
        let panels = panels[number];
        let doutput = Matrix::by_rows(doutput, num_rows, dweight.len() / width).transposed();
        for (piece, dweight) in dweight.chunks_mut(outputs * width).enumerate() {
            let first = piece * outputs;
            let a = doutput.part(first..first + dweight.len() / width, 0..num_rows);
            tasks.push(Box::new(move || {
                let product = Product {
                    a,
                    panels,
                    c: dweight,
                    stride: width,
                    num_columns: width,
                    start: Start::Sum,
                };
                level.run_product(precision, product);
            }));
        }
    }
    for norm in norms {
        let NormGradient {
            dy,
            x,
            inverse_rms,
            dweight,
        } = norm;
        let width = dweight.len();
        for (piece, dweight) in dweight.chunks_mut(PIECE_COLUMNS).enumerate() {
            tasks.push(Box::new(move || {
                level.run(norm::WeightGradient {
                    dy,
                    x,
                    inverse_rms,
                    width,
                    first: piece * PIECE_COLUMNS,
                    dweight,
                });
            }));
        }
    }
    pool.for_each(tasks, |task| task());
}
