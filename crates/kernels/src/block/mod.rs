//! A whole block of a Transformer: attention and a feed-forward network, each behind a norm, each added to the residual
//! stream. Queries and keys can have norms, and the network a gate, or none.
//!
//! The same operations as one by one, but what is computed of some rows stays in the cache until the next operation takes
//! it, nothing is kept for the backward pass that is cheap to compute again, and threads meet three times in the forward
//! pass. Threads claim rows; each row's results, and each sum over rows, have an order of their own, so that neither the
//! number of threads nor the number of sequences in a call changes a bit.

mod backward;
mod forward;
mod gradients;
mod values;

use std::cell::Cell;
use std::iter;
use std::ops::Range;

pub use backward::block_backward;
pub use forward::block;
pub use values::{ValueGradients, Values};

use crate::attention::Shape;
pub use crate::gate::Activation;
use crate::matmul::{Matrix, Precision};
use crate::rope::Angles;

/// Rows that a thread takes at a time: whole tiles of every level.
const PIECE_ROWS: usize = 96;

/// The sizes of a block and of what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Sequences.
    pub num_sequences: usize,
    /// Positions of each.
    pub num_positions: usize,
    /// Heads of the attention.
    pub num_heads: usize,
    /// Channels of the residual stream.
    pub d_model: usize,
    /// Inner channels of the feed-forward network.
    pub d_ff: usize,
    /// Whether the network has a gate, which is a matrix more.
    pub is_gated: bool,
    /// Whether each head's queries and keys are normalized.
    pub norms_heads: bool,
    /// Channels that the gate of embeddings sees which are added to values; 0: none are added.
    pub value_channels: usize,
}

impl Sizes {
    fn num_rows(&self) -> usize {
        self.num_sequences * self.num_positions
    }

    fn attention(&self, num_sequences: usize) -> Shape {
        Shape {
            num_sequences,
            num_queries: self.num_positions,
            num_keys: self.num_positions,
            num_heads: self.num_heads,
            head_width: self.d_model / self.num_heads,
        }
    }

    /// Returns how many numbers a forward pass keeps for the backward pass.
    #[must_use]
    pub fn saved_len(&self) -> usize {
        self.num_rows() * (2 + self.num_heads + 5 * self.d_model + self.d_ff)
            + self.gate_len()
            + 2 * self.head_norms_len()
            + self.value_gates_len()
    }

    /// Returns how many heads of positions weigh an embedding.
    fn value_gates_len(&self) -> usize {
        if self.value_channels > 0 {
            self.num_rows() * self.num_heads
        } else {
            0
        }
    }

    /// Returns how many inputs of the gate there are.
    fn gate_len(&self) -> usize {
        if self.is_gated {
            self.num_rows() * self.d_ff
        } else {
            0
        }
    }

    /// Returns how many queries or keys are normalized.
    fn head_norms_len(&self) -> usize {
        if self.norms_heads {
            self.num_rows() * self.num_heads
        } else {
            0
        }
    }

    fn check(&self, weights: &Weights<'_>, activations: &[&[f32]], saved_len: usize) {
        let (d, f) = (self.d_model, self.d_ff);
        assert!(
            self.num_heads > 0 && d.is_multiple_of(self.num_heads),
            "heads of equal width"
        );
        let matrices = [weights.q_proj, weights.k_proj, weights.v_proj, weights.output_proj];
        assert!(
            matrices.iter().all(|weight| weight.len() == d * d),
            "matrices of attention"
        );
        let gate = weights.w3.map_or(0, <[f32]>::len);
        assert_eq!(
            [weights.w1.len(), weights.w2.len(), gate],
            [d * f, d * f, if self.is_gated { d * f } else { 0 }],
            "matrices of a network"
        );
        assert!(
            weights.activation == Activation::Silu || !self.is_gated,
            "a gate is behind SiLU"
        );
        assert_eq!(weights.head_norms.is_some(), self.norms_heads, "norms of heads");
        if let Some(norms) = weights.head_norms {
            let is_as_wide = |norm: &[f32]| norm.len() == d / self.num_heads;
            assert!(norms.into_iter().all(is_as_wide), "norms of heads");
        }
        assert_eq!(
            weights.values.is_some(),
            self.value_channels > 0,
            "embeddings added to values"
        );
        if let Some(values) = weights.values {
            assert!(
                self.value_channels <= d
                    && values.gate.len() == self.num_heads * self.value_channels
                    && values.embedding.len() == self.num_rows() * d,
                "embeddings added to values"
            );
        }
        assert!(
            [weights.ln1, weights.ln2].iter().all(|weight| weight.len() == d),
            "norms"
        );
        assert!(
            activations.iter().all(|x| x.len() == self.num_rows() * d),
            "activations"
        );
        assert_eq!(saved_len, self.saved_len(), "what is kept");
        if let Some(angles) = weights.angles {
            let len = angles.num_positions * (d / self.num_heads / 2);
            assert_eq!([angles.cos.len(), angles.sin.len()], [len; 2], "angles");
            assert!(
                angles.num_positions == self.num_positions && (d / self.num_heads).is_multiple_of(2),
                "an angle for each position and pair"
            );
        }
    }
}

/// The parameters of a block, by the names of its layers; matrices are a row an output.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the layers' names")]
pub struct Weights<'a> {
    pub ln1: &'a [f32],
    pub q_proj: &'a [f32],
    pub k_proj: &'a [f32],
    pub v_proj: &'a [f32],
    pub output_proj: &'a [f32],
    /// Of each head's queries and keys.
    pub head_norms: Option<[&'a [f32]; 2]>,
    pub ln2: &'a [f32],
    pub w1: &'a [f32],
    pub w3: Option<&'a [f32]>,
    pub w2: &'a [f32],
    /// What is added to values.
    pub values: Option<Values<'a>>,
    /// What `w1` goes through.
    pub activation: Activation,
    /// Added to the mean squares of the norms.
    pub eps: f32,
    /// Of the products with matrices.
    pub precision: Precision,
    /// By which queries and keys are rotated.
    pub angles: Option<Angles<'a>>,
}

/// The gradients of a block's parameters, to which those of the rows are added, row by row.
#[derive(Debug)]
#[expect(missing_docs, reason = "the layers' names")]
pub struct Gradients<'a> {
    pub ln1: &'a mut [f32],
    pub q_proj: &'a mut [f32],
    pub k_proj: &'a mut [f32],
    pub v_proj: &'a mut [f32],
    pub output_proj: &'a mut [f32],
    pub head_norms: Option<[&'a mut [f32]; 2]>,
    pub ln2: &'a mut [f32],
    pub w1: &'a mut [f32],
    pub w3: Option<&'a mut [f32]>,
    pub w2: &'a mut [f32],
    pub values: Option<ValueGradients<'a>>,
}

impl Gradients<'_> {
    fn check(&self, weights: &Weights<'_>) {
        let fits = |gradient: &[f32], weight: &[f32]| assert_eq!(gradient.len(), weight.len(), "a gradient");
        fits(self.ln1, weights.ln1);
        fits(self.q_proj, weights.q_proj);
        fits(self.k_proj, weights.k_proj);
        fits(self.v_proj, weights.v_proj);
        fits(self.output_proj, weights.output_proj);
        fits(self.ln2, weights.ln2);
        fits(self.w1, weights.w1);
        assert_eq!(self.w3.is_some(), weights.w3.is_some(), "a gradient of the gate");
        if let (Some(gradient), Some(weight)) = (&self.w3, weights.w3) {
            fits(gradient, weight);
        }
        assert_eq!(
            self.head_norms.is_some(),
            weights.head_norms.is_some(),
            "gradients of norms"
        );
        if let (Some(gradients), Some(weights)) = (&self.head_norms, weights.head_norms) {
            gradients
                .iter()
                .zip(weights)
                .for_each(|(gradient, weight)| fits(gradient, weight));
        }
        fits(self.w2, weights.w2);
        assert_eq!(
            self.values.is_some(),
            weights.values.is_some(),
            "gradients of embeddings"
        );
        if let (Some(gradients), Some(values)) = (&self.values, weights.values) {
            fits(gradients.gate, values.gate);
            fits(gradients.embedding, values.embedding);
        }
    }
}

/// What a forward pass keeps for the backward pass, a row a position.
struct Saved<S> {
    inverse_rms1: S,
    inverse_rms2: S,
    logsumexp: S,
    /// Of each head's queries and keys, where these are normalized: else empty.
    inverse_rms_q: S,
    inverse_rms_k: S,
    /// What gates of embeddings are computed from, if there are any.
    value_gates: S,
    /// Queries and keys before they are normalized, and not rotated; where they are not normalized, rotated.
    q: S,
    k: S,
    v: S,
    attended: S,
    /// The residual stream between attention and feed-forward network.
    middle: S,
    a: S,
    /// Empty where the network has no gate.
    b: S,
}

impl<'a> Saved<&'a [f32]> {
    /// Returns what is kept of some rows.
    fn rows(&self, sizes: &Sizes, rows: Range<usize>) -> Self {
        let (d, f, heads) = (sizes.d_model, sizes.d_ff, sizes.num_heads);
        let part = |values: &'a [f32], width: usize| {
            // Of what is not kept, nothing.
            let width = if values.is_empty() { 0 } else { width };
            &values[rows.start * width..rows.end * width]
        };
        Self {
            inverse_rms1: part(self.inverse_rms1, 1),
            inverse_rms2: part(self.inverse_rms2, 1),
            logsumexp: part(self.logsumexp, heads),
            inverse_rms_q: part(self.inverse_rms_q, heads),
            inverse_rms_k: part(self.inverse_rms_k, heads),
            value_gates: part(self.value_gates, heads),
            q: part(self.q, d),
            k: part(self.k, d),
            v: part(self.v, d),
            attended: part(self.attended, d),
            middle: part(self.middle, d),
            a: part(self.a, f),
            b: part(self.b, f),
        }
    }
}

impl Sizes {
    /// Divides the memory of what is kept, by a function that takes the next so many numbers of it.
    fn divide<S>(&self, mut take: impl FnMut(usize) -> S) -> Saved<S> {
        let rows = self.num_rows();
        let (wide, inner) = (rows * self.d_model, rows * self.d_ff);
        Saved {
            inverse_rms1: take(rows),
            inverse_rms2: take(rows),
            logsumexp: take(rows * self.num_heads),
            inverse_rms_q: take(self.head_norms_len()),
            inverse_rms_k: take(self.head_norms_len()),
            value_gates: take(self.value_gates_len()),
            q: take(wide),
            k: take(wide),
            v: take(wide),
            attended: take(wide),
            middle: take(wide),
            a: take(inner),
            b: take(self.gate_len()),
        }
    }
}

impl Sizes {
    /// The matrix of the gate of embeddings; an empty one where there are none.
    fn value_gate<'a>(&self, weights: &Weights<'a>) -> Matrix<'a> {
        let num_rows = if self.value_channels > 0 { self.num_heads } else { 0 };
        Matrix::by_rows(
            weights.values.map_or(&[], |values| values.gate),
            num_rows,
            self.value_channels,
        )
    }
}

/// Returns some rows after some others, and nothing ever after: of what is empty, too.
fn pieces(values: &[f32], len: usize) -> impl Iterator<Item = &[f32]> {
    values.chunks(len).chain(iter::repeat(&[][..]))
}

/// The same, to be written.
fn pieces_mut(values: &mut [f32], len: usize) -> impl Iterator<Item = &mut [f32]> {
    values.chunks_mut(len).chain(iter::repeat_with(|| &mut [][..]))
}

thread_local! {
    static ROWS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with memory of this thread for `len` numbers, which it must write before it reads.
fn with_rows(len: usize, work: impl FnOnce(&mut [f32])) {
    let mut rows = ROWS.take();
    if rows.len() < len {
        rows.resize(len, 0.0);
    }
    work(&mut rows[..len]);
    ROWS.set(rows);
}
