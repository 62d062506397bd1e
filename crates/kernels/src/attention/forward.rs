//! The outputs of an attention.

use super::shape::{at_least, with_buffers, Buffers, Shape};
use super::BLOCK;
use crate::level::{Level, Work};
use crate::matmul::{pack, Matrix, Precision, Product, Start};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Computes, in products of a precision, each query's mean of the values, weighted by the softmax of its scores, and the logarithm of the sum of the
/// exponentials, (sequence, position, head), which the backward pass takes.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "how to compute, three inputs, two outputs")]
pub fn attention(
    pool: &Pool,
    precision: Precision,
    shape: Shape,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    out: &mut [f32],
    logsumexp: &mut [f32],
) {
    shape.check(&[q, out], &[k, v], logsumexp.len());
    if out.is_empty() {
        return;
    }
    let level = Level::current();
    // Many pieces for the threads, but as few as can be: keys and values are packed for each.
    let pieces_a_sequence = (4 * pool.num_threads()).div_ceil(shape.num_sequences);
    let piece = shape.num_queries.div_ceil(pieces_a_sequence).next_multiple_of(BLOCK);
    let mut pieces = Vec::new();
    let sequences = out.chunks_mut(shape.num_queries * shape.row());
    for (sequence, (out, logsumexp)) in sequences
        .zip(logsumexp.chunks_mut(shape.num_queries * shape.num_heads))
        .enumerate()
    {
        let outputs = out
            .chunks_mut(piece * shape.row())
            .zip(logsumexp.chunks_mut(piece * shape.num_heads));
        pieces.extend(
            outputs
                .enumerate()
                .map(|(part, outputs)| (sequence, part * piece, outputs)),
        );
    }
    pool.for_each(pieces, |(sequence, first, (out, logsumexp))| {
        let num_queries = out.len() / shape.row();
        let q = &q[(sequence * shape.num_queries + first) * shape.row()..][..out.len()];
        let num_keys = shape.num_keys - shape.num_queries + first + num_queries;
        let [k, v] = [k, v].map(|x| &x[sequence * shape.num_keys * shape.row()..][..num_keys * shape.row()]);
        with_buffers(|buffers| {
            for head in 0..shape.num_heads {
                forward((precision, level), shape, head, [q, k, v], out, logsumexp, buffers);
            }
        });
    });
}

/// Computes the outputs of one head, for queries of the last positions.
fn forward(
    (precision, level): (Precision, Level),
    shape: Shape,
    head: usize,
    [q, k, v]: [&[f32]; 3],
    out: &mut [f32],
    logsumexp: &mut [f32],
    buffers: &mut Buffers,
) {
    let [q, k, v] = [q, k, v].map(|x| shape.head(x, head));
    let (num_queries, num_keys) = (q.num_rows(), k.num_rows());
    let keys = pack(precision, level, k.transposed(), &mut buffers.keys);
    let values = pack(precision, level, v, &mut buffers.values);
    for first in (0..num_queries).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(num_queries);
        let seen = num_keys - num_queries + block.end;
        let scores = at_least(&mut buffers.scores, block.len() * seen);
        level.run_product(
            precision,
            Product {
                a: q.part(block.clone(), 0..shape.head_width),
                panels: keys,
                c: scores,
                stride: seen,
                num_columns: seen,
                start: Start::Zero,
            },
        );
        let logsumexp = &mut logsumexp[block.start * shape.num_heads..block.end * shape.num_heads];
        let mut factors = [0.0; BLOCK];
        level.run(Softmax {
            scores,
            seen,
            scale: 1.0 / (shape.head_width as f32).sqrt(),
            logsumexp: logsumexp.chunks_exact_mut(shape.num_heads),
            head,
            factors: &mut factors,
        });
        let out = &mut out[block.start * shape.row() + head * shape.head_width..];
        level.run_product(
            precision,
            Product {
                a: Matrix::by_rows(scores, block.len(), seen),
                panels: values,
                c: &mut *out,
                stride: shape.row(),
                num_columns: shape.head_width,
                start: Start::Zero,
            },
        );
        for (out, factor) in out.chunks_mut(shape.row()).zip(&factors[..block.len()]) {
            out[..shape.head_width].iter_mut().for_each(|value| *value *= factor);
        }
    }
}

/// Replaces the scores of a block of queries by exponentials, whose sum is 1 / `factors`.
struct Softmax<'a> {
    scores: &'a mut [f32],
    seen: usize,
    scale: f32,
    logsumexp: std::slice::ChunksExactMut<'a, f32>,
    head: usize,
    factors: &'a mut [f32; BLOCK],
}

impl Work for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let num_rows = self.scores.len() / self.seen;
        let rows = self
            .scores
            .chunks_exact_mut(self.seen)
            .zip(self.logsumexp)
            .zip(self.factors);
        for (row, ((scores, logsumexp), factor)) in rows.enumerate() {
            // The last query of the block sees all keys, the one before all but one, ...
            let (scores, unseen) = scores.split_at_mut(self.seen - (num_rows - 1 - row));
            unseen.fill(0.0);
            let max = rows::max::<V>(scores) * self.scale;
            let (scale, offset) = (V::splat(self.scale), V::splat(-max));
            rows::update::<V, 0>(scores, [], |score, []| score.mul_add(scale, offset).exp());
            let sum = rows::sum::<V, 1>([scores], |sum, [value]| sum.add(value));
            *factor = 1.0 / sum;
            logsumexp[self.head] = max + sum.ln();
        }
    }
}
