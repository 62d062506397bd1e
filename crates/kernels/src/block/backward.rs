//! The backward pass of a block.

use super::{with_rows, Gradients, Saved, Sizes, Weights, PIECE_ROWS};
use crate::attention::{self, with_buffers};
use crate::level::Level;
use crate::matmul::{multiply_rows, pack_shared, packed_len, padded_columns, Matrix, Panels, Product, Start};
use crate::norm::PIECE_COLUMNS;
use crate::pool::{Pool, Task};
use crate::rope::Rotate;
use crate::vector::MAX_TILE_ROWS;
use crate::{gate, norm};

/// Numbers of an inner activation that are computed at a time: three of them should fit a core's cache.
const MOST_INNER: usize = 3 << 16;

/// Rows that are computed at a time at least: the gradients of all weights are read and written for them.
const LEAST_ROWS: usize = 1024;

/// Rows of a weight's gradient that a thread takes at a time, at the most: whole tiles of every level.
const PIECE_OUTPUTS: usize = 96;

/// Pieces that a thread has of all weights' gradients, at the least if there are rows enough: threads wait for the last.
const PIECES_A_THREAD: usize = 12;

/// Computes the gradient `dx` of the residual stream from `dy`, and adds those of the parameters to `gradients`.
///
/// # Panics
/// If the lengths do not fit.
#[expect(
    clippy::too_many_arguments,
    reason = "what the forward pass was given and gave, and the results"
)]
pub fn block_backward(
    pool: &Pool,
    sizes: Sizes,
    weights: Weights<'_>,
    x: &[f32],
    saved: &[f32],
    dy: &[f32],
    mut gradients: Gradients<'_>,
    dx: &mut [f32],
) {
    sizes.check(&weights, &[x, dy, dx], saved.len());
    gradients.check(&weights);
    if x.is_empty() {
        return;
    }
    let level = Level::current();
    let (d, f, t) = (sizes.d_model, sizes.d_ff, sizes.num_positions);
    let mut rest = saved;
    let saved = sizes.divide(|len| rest.split_off(..len).expect("memory for all"));
    // A few sequences at a time: their intermediate results fit the cache, and the next sequences continue the sums.
    let sequences = (MOST_INNER / (f.max(d) * t))
        .max(LEAST_ROWS / t)
        .max(pool.num_threads());
    let sequences = sequences.min(sizes.num_sequences);
    let matrices = [
        Matrix::by_rows(weights.w2, d, f),
        Matrix::by_rows(weights.w1, f, d),
        Matrix::by_rows(weights.w3, f, d),
        Matrix::by_rows(weights.output_proj, d, d),
        Matrix::by_rows(weights.q_proj, d, d),
        Matrix::by_rows(weights.k_proj, d, d),
        Matrix::by_rows(weights.v_proj, d, d),
    ];
    let packed_len: usize = matrices
        .iter()
        .map(|matrix| packed_len(weights.precision, level, *matrix))
        .sum();
    let results = Results::len(&sizes, level, sequences * t);
    pool.with_scratch(packed_len + results, |memory| {
        let (packed, memory) = memory.split_at_mut(packed_len);
        let panels = pack_shared(pool, weights.precision, level, matrices, packed);
        for first in (0..sizes.num_sequences).step_by(sequences) {
            let num_sequences = sequences.min(sizes.num_sequences - first);
            let sizes = Sizes { num_sequences, ..sizes };
            let rows = first * t..(first + num_sequences) * t;
            let part = |values: &'_ [f32], width: usize| -> std::ops::Range<usize> {
                debug_assert!(rows.end * width <= values.len());
                rows.start * width..rows.end * width
            };
            let backward = Backward {
                pool,
                level,
                sizes,
                weights,
                panels,
                x: &x[part(x, d)],
                saved: Saved {
                    inverse_rms1: &saved.inverse_rms1[part(saved.inverse_rms1, 1)],
                    inverse_rms2: &saved.inverse_rms2[part(saved.inverse_rms2, 1)],
                    logsumexp: &saved.logsumexp[part(saved.logsumexp, sizes.num_heads)],
                    q: &saved.q[part(saved.q, d)],
                    k: &saved.k[part(saved.k, d)],
                    v: &saved.v[part(saved.v, d)],
                    attended: &saved.attended[part(saved.attended, d)],
                    middle: &saved.middle[part(saved.middle, d)],
                    a: &saved.a[part(saved.a, f)],
                    b: &saved.b[part(saved.b, f)],
                },
                dy: &dy[part(dy, d)],
            };
            let results = Results::divide(&sizes, level, memory);
            backward.run(results, &mut gradients, &mut dx[part(x, d)]);
        }
    });
}

/// The intermediate results of some sequences.
struct Results<'a> {
    /// The network's gate and the gradients of its two inputs; then those of queries, keys and values.
    inner: [&'a mut [f32]; 3],
    normed: &'a mut [f32],
    dnormed: &'a mut [f32],
    dattended: &'a mut [f32],
    packed: &'a mut [f32],
}

impl<'a> Results<'a> {
    fn len(sizes: &Sizes, level: Level, num_rows: usize) -> usize {
        let inner = sizes.d_ff.max(sizes.d_model);
        num_rows * (3 * inner + 3 * sizes.d_model) + Self::packed_len(sizes, level, num_rows)
    }

    /// The packed rows that gradients of weights sum over: at most a gate's and two of the residual stream's width.
    fn packed_len(sizes: &Sizes, level: Level, num_rows: usize) -> usize {
        num_rows * (padded_columns(level, sizes.d_ff) + 2 * padded_columns(level, sizes.d_model))
    }

    fn divide(sizes: &Sizes, level: Level, mut memory: &'a mut [f32]) -> Self {
        let num_rows = sizes.num_rows();
        let inner = num_rows * sizes.d_ff.max(sizes.d_model);
        let mut take = |len| memory.split_off_mut(..len).expect("memory for all");
        Self {
            inner: [take(inner), take(inner), take(inner)],
            normed: take(num_rows * sizes.d_model),
            dnormed: take(num_rows * sizes.d_model),
            dattended: take(num_rows * sizes.d_model),
            packed: take(Self::packed_len(sizes, level, num_rows)),
        }
    }
}

/// Some sequences, on their way back.
struct Backward<'a> {
    pool: &'a Pool,
    level: Level,
    sizes: Sizes,
    weights: Weights<'a>,
    /// `w2, w1, w3, output_proj, q_proj, k_proj, v_proj`.
    panels: [Panels<'a>; 7],
    x: &'a [f32],
    saved: Saved<&'a [f32]>,
    dy: &'a [f32],
}

impl Backward<'_> {
    fn run(&self, results: Results<'_>, gradients: &mut Gradients<'_>, dx: &mut [f32]) {
        let (d, f, num_rows) = (self.sizes.d_model, self.sizes.d_ff, self.sizes.num_rows());
        let Results {
            inner,
            normed,
            dnormed,
            dattended,
            packed,
        } = results;
        let mut inner = inner;
        let [gated, da, db] = inner.each_mut().map(|values| &mut values[..num_rows * f]);
        self.feed_forward([gated, da, db], [&mut *normed, &mut *dnormed, &mut *dattended], dx);
        let [gated, da, db] = inner.each_ref().map(|values| &values[..num_rows * f]);
        self.add_gradients(
            packed,
            [(gated, f), (&*normed, d), (self.saved.attended, d)],
            [
                (0, self.dy, &mut *gradients.w2),
                (1, da, &mut *gradients.w1),
                (1, db, &mut *gradients.w3),
                (2, &*dx, &mut *gradients.output_proj),
            ],
            (
                &*dnormed,
                self.saved.middle,
                self.saved.inverse_rms2,
                &mut *gradients.ln2,
            ),
        );
        let [dq, dk, dv] = inner.each_mut().map(|values| &mut values[..num_rows * d]);
        self.attention([dq, dk, dv], dattended, [&mut *normed, &mut *dnormed], dx);
        let [dq, dk, dv] = inner.each_ref().map(|values| &values[..num_rows * d]);
        self.add_gradients(
            packed,
            [(&*normed, d)],
            [
                (0, dq, &mut *gradients.q_proj),
                (0, dk, &mut *gradients.k_proj),
                (0, dv, &mut *gradients.v_proj),
            ],
            (&*dnormed, self.x, self.saved.inverse_rms1, &mut *gradients.ln1),
        );
    }

    /// Goes back through the network and the attention's output: rows by rows.
    fn feed_forward(
        &self,
        [gated, da, db]: [&mut [f32]; 3],
        [normed, dnormed, dattended]: [&mut [f32]; 3],
        dx: &mut [f32],
    ) {
        let (d, f, level) = (self.sizes.d_model, self.sizes.d_ff, self.level);
        let [w2, w1, w3, output_proj, ..] = self.panels;
        let Saved {
            a,
            b,
            middle,
            inverse_rms2,
            ..
        } = &self.saved;
        let given = (self.dy.chunks(PIECE_ROWS * d))
            .zip(middle.chunks(PIECE_ROWS * d))
            .zip(inverse_rms2.chunks(PIECE_ROWS))
            .zip(a.chunks(PIECE_ROWS * f).zip(b.chunks(PIECE_ROWS * f)));
        let inner = (gated.chunks_mut(PIECE_ROWS * f))
            .zip(da.chunks_mut(PIECE_ROWS * f))
            .zip(db.chunks_mut(PIECE_ROWS * f));
        let wide = (normed.chunks_mut(PIECE_ROWS * d))
            .zip(dnormed.chunks_mut(PIECE_ROWS * d))
            .zip(dattended.chunks_mut(PIECE_ROWS * d))
            .zip(dx.chunks_mut(PIECE_ROWS * d));
        self.pool.for_each(
            given.zip(inner).zip(wide),
            |(((((dy, x), inverse_rms), (a, b)), ((gated, da), db)), (((normed, dnormed), dattended), dx))| {
                with_rows(a.len(), |dgated| {
                    multiply_rows(level, dy, d, w2, dgated, Start::Zero);
                    level.run(gate::ForwardBackward {
                        dout: dgated,
                        a,
                        b,
                        out: gated,
                        da,
                        db,
                    });
                });
                multiply_rows(level, da, f, w1, dnormed, Start::Zero);
                multiply_rows(level, db, f, w3, dnormed, Start::Sum);
                dx.copy_from_slice(dy);
                self.norm(self.weights.ln2, x, inverse_rms, normed, dnormed, dx);
                multiply_rows(level, dx, d, output_proj, dattended, Start::Zero);
            },
        );
    }

    /// Computes the outputs of a norm again, and adds the gradient of its inputs to `dx`.
    fn norm(
        &self,
        weight: &[f32],
        x: &[f32],
        inverse_rms: &[f32],
        normed: &mut [f32],
        dnormed: &[f32],
        dx: &mut [f32],
    ) {
        self.level.run(norm::Again {
            x,
            weight,
            inverse_rms,
            y: normed,
        });
        self.level.run(norm::Backward {
            dy: dnormed,
            x,
            weight,
            inverse_rms,
            dx,
            start: Start::Sum,
        });
    }

    /// Goes back through the attention and its projections: sequence by sequence.
    fn attention(
        &self,
        [dq, dk, dv]: [&mut [f32]; 3],
        dattended: &[f32],
        [normed, dnormed]: [&mut [f32]; 2],
        dx: &mut [f32],
    ) {
        let (d, level, sizes) = (self.sizes.d_model, self.level, self.sizes);
        let wide = sizes.num_positions * d;
        let [_, _, _, _, q_proj, k_proj, v_proj] = self.panels;
        let (saved, how) = (&self.saved, (self.weights.precision, level));
        let given = (saved.q.chunks(wide).zip(saved.k.chunks(wide)).zip(saved.v.chunks(wide)))
            .zip(saved.attended.chunks(wide).zip(dattended.chunks(wide)))
            .zip(saved.logsumexp.chunks(sizes.num_positions * sizes.num_heads));
        let rows = (self.x.chunks(wide)).zip(saved.inverse_rms1.chunks(sizes.num_positions));
        let results = (dq.chunks_mut(wide).zip(dk.chunks_mut(wide)).zip(dv.chunks_mut(wide)))
            .zip(normed.chunks_mut(wide).zip(dnormed.chunks_mut(wide)))
            .zip(dx.chunks_mut(wide));
        self.pool
            .for_each(given.zip(rows).zip(results), |((given, (x, inverse_rms)), results)| {
                let ((((q, k), v), (out, dout)), logsumexp) = given;
                let ((((dq, dk), dv), (normed, dnormed)), dx) = results;
                let saved = attention::Saved {
                    q,
                    k,
                    v,
                    out,
                    logsumexp,
                };
                with_buffers(|buffers| {
                    for head in 0..sizes.num_heads {
                        let gradients = [&mut *dq, &mut *dk, &mut *dv];
                        attention::backward(how, sizes.attention(1), head, dout, saved, gradients, buffers);
                    }
                });
                if let Some(angles) = self.weights.angles {
                    for x in [&mut *dq, &mut *dk] {
                        level.run(Rotate {
                            x,
                            angles,
                            num_heads: sizes.num_heads,
                            first_row: 0,
                            is_forward: false,
                        });
                    }
                }
                multiply_rows(level, dq, d, q_proj, dnormed, Start::Zero);
                multiply_rows(level, dk, d, k_proj, dnormed, Start::Sum);
                multiply_rows(level, dv, d, v_proj, dnormed, Start::Sum);
                self.norm(self.weights.ln1, x, inverse_rms, normed, dnormed, dx);
            });
    }

    /// Adds the gradients of some weights, each given by the number of its input, and of a norm's.
    fn add_gradients<const N: usize, const M: usize>(
        &self,
        packed: &mut [f32],
        inputs: [(&[f32], usize); N],
        products: [(usize, &[f32], &mut [f32]); M],
        (dy, x, inverse_rms, dnorm): (&[f32], &[f32], &[f32], &mut [f32]),
    ) {
        let (level, precision, num_rows) = (self.level, self.weights.precision, self.sizes.num_rows());
        let matrices = inputs.map(|(input, width)| Matrix::by_rows(input, num_rows, width));
        let panels = pack_shared(self.pool, precision, level, matrices, packed);
        let all_outputs: usize = products.iter().map(|(_, doutput, _)| doutput.len() / num_rows).sum();
        let share = all_outputs.div_ceil(PIECES_A_THREAD * self.pool.num_threads());
        let outputs = share.next_multiple_of(MAX_TILE_ROWS).min(PIECE_OUTPUTS);
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for (number, doutput, dweight) in products {
            let (width, panels) = (inputs[number].1, panels[number]);
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
        let width = dnorm.len();
        for (piece, dweight) in dnorm.chunks_mut(PIECE_COLUMNS).enumerate() {
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
        self.pool.for_each(tasks, |task| task());
    }
}
