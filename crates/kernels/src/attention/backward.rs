//! The gradients of an attention.

use super::shape::{at_least, with_buffers, Buffers, Shape};
use super::BLOCK;
use crate::level::{Level, Work};
use crate::matmul::{pack, Matrix, Precision, Product, Start};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// What the backward pass takes.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// The queries.
    pub q: &'a [f32],
    /// The keys.
    pub k: &'a [f32],
    /// The values.
    pub v: &'a [f32],
    /// The outputs.
    pub out: &'a [f32],
    /// The logarithm of the sum of each query's exponentials.
    pub logsumexp: &'a [f32],
}

/// Computes the gradients of queries, keys and values from that of the outputs.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "how to compute, what is known, three results")]
pub fn attention_backward(
    pool: &Pool,
    precision: Precision,
    shape: Shape,
    dout: &[f32],
    saved: Saved<'_>,
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
) {
    let Saved {
        q,
        k,
        v,
        out,
        logsumexp,
    } = saved;
    shape.check(&[dout, q, out, dq], &[k, v, dk, dv], logsumexp.len());
    if dq.is_empty() {
        return;
    }
    let level = Level::current();
    let (queries, keys) = (shape.num_queries * shape.row(), shape.num_keys * shape.row());
    let inputs = q.chunks(queries).zip(k.chunks(keys)).zip(v.chunks(keys));
    let outputs = dout
        .chunks(queries)
        .zip(out.chunks(queries))
        .zip(logsumexp.chunks(shape.num_queries * shape.num_heads));
    let gradients = dq.chunks_mut(queries).zip(dk.chunks_mut(keys)).zip(dv.chunks_mut(keys));
    pool.for_each(
        inputs.zip(outputs).zip(gradients),
        |((((q, k), v), ((dout, out), logsumexp)), ((dq, dk), dv))| {
            let saved = Saved {
                q,
                k,
                v,
                out,
                logsumexp,
            };
            with_buffers(|buffers| {
                for head in 0..shape.num_heads {
                    backward(
                        (precision, level),
                        shape,
                        head,
                        dout,
                        saved,
                        [&mut *dq, &mut *dk, &mut *dv],
                        buffers,
                    );
                }
            });
        },
    );
}

/// Computes the gradients of one head of one sequence.
pub(crate) fn backward(
    (precision, level): (Precision, Level),
    shape: Shape,
    head: usize,
    dout: &[f32],
    saved: Saved<'_>,
    [dq, dk, dv]: [&mut [f32]; 3],
    buffers: &mut Buffers,
) {
    let [q, k, v, out, dout] = [saved.q, saved.k, saved.v, saved.out, dout].map(|x| shape.head(x, head));
    let (width, stride, place) = (shape.head_width, shape.row(), head * shape.head_width);
    let scale = 1.0 / (width as f32).sqrt();
    let keys = pack(precision, level, k.transposed(), &mut buffers.keys);
    let values = pack(precision, level, v.transposed(), &mut buffers.values);
    let key_rows = pack(precision, level, k, &mut buffers.key_rows);
    for first in (0..shape.num_queries).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(shape.num_queries);
        let seen = shape.num_keys - shape.num_queries + block.end;
        let [q, out, dout] = [q, out, dout].map(|x| x.part(block.clone(), 0..width));
        let scores = at_least(&mut buffers.scores, block.len() * seen);
        let dscores = at_least(&mut buffers.dscores, block.len() * seen);
        for (a, panels, c) in [(q, keys, &mut *scores), (dout, values, &mut *dscores)] {
            let (stride, num_columns, start) = (seen, seen, Start::Zero);
            level.run_product(
                precision,
                Product {
                    a,
                    panels,
                    c,
                    stride,
                    num_columns,
                    start,
                },
            );
        }
        level.run(ScoreGradients {
            scores,
            dscores,
            seen,
            scale,
            out,
            dout,
            logsumexp: &saved.logsumexp[block.start * shape.num_heads..],
            head,
            num_heads: shape.num_heads,
        });
        let [weights, dscores] = [&*scores, &*dscores].map(|x| Matrix::by_rows(x, block.len(), seen));
        // The first block writes the keys that it sees; of a later block, those beyond are new.
        let known = if first == 0 {
            0
        } else {
            shape.num_keys - shape.num_queries + first
        };
        let queries = pack(precision, level, q, &mut buffers.queries);
        let gradients = pack(precision, level, dout, &mut buffers.gradients);
        for (a, panels, c) in [(weights, gradients, &mut *dv), (dscores, queries, &mut *dk)] {
            for (keys, start) in [(0..known, Start::Sum), (known..seen, Start::Zero)] {
                if !keys.is_empty() {
                    level.run_product(
                        precision,
                        Product {
                            a: a.part(0..block.len(), keys.clone()).transposed(),
                            panels,
                            c: &mut c[keys.start * stride + place..],
                            stride,
                            num_columns: width,
                            start,
                        },
                    );
                }
            }
        }
        level.run_product(
            precision,
            Product {
                a: dscores,
                panels: key_rows,
                c: &mut dq[block.start * stride + place..],
                stride,
                num_columns: width,
                start: Start::Zero,
            },
        );
    }
}

/// Replaces a block's scores by the weights, and the weights' gradients by those of the scores.
struct ScoreGradients<'a> {
    scores: &'a mut [f32],
    dscores: &'a mut [f32],
    seen: usize,
    scale: f32,
    out: Matrix<'a>,
    dout: Matrix<'a>,
    logsumexp: &'a [f32],
    head: usize,
    num_heads: usize,
}

impl Work for ScoreGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let num_rows = self.out.num_rows();
        let rows = self
            .scores
            .chunks_exact_mut(self.seen)
            .zip(self.dscores.chunks_exact_mut(self.seen));
        for (row, (scores, dscores)) in rows.enumerate() {
            let end = self.seen - (num_rows - 1 - row);
            let (scores, unseen) = scores.split_at_mut(end);
            let (dscores, dunseen) = dscores.split_at_mut(end);
            unseen.fill(0.0);
            dunseen.fill(0.0);
            let offset = V::splat(-self.logsumexp[row * self.num_heads + self.head]);
            let scale = V::splat(self.scale);
            rows::update::<V, 0>(scores, [], |score, []| score.mul_add(scale, offset).exp());
            // The sum over keys of weight * dweight equals <dout, out>.
            let mean = rows::sum::<V, 2>([self.out.row(row), self.dout.row(row)], |sum, [x, dx]| {
                x.mul_add(dx, sum)
            });
            let mean = V::splat(mean);
            rows::update::<V, 1>(dscores, [scores], |dweight, [weight]| {
                dweight.sub(mean).mul(weight).mul(scale)
            });
        }
    }
}
