//! The backward pass of a block.

use super::gradients::{NormGradient, Results, Sums};
use super::values::{self, ValueGradients, Values};
use super::{pieces, pieces_mut, with_rows, Gradients, Saved, Sizes, Weights, PIECE_ROWS};
use crate::attention::{self, with_buffers};
use crate::gate;
use crate::level::Level;
use crate::matmul::{multiply_rows, pack_shared, packed_len, Matrix, Panels, Start};
use crate::norm;
use crate::pool::Pool;
use crate::rope::Rotate;

/// Numbers of an inner activation that are computed at a time: three of them should fit a core's cache.
const MOST_INNER: usize = 3 << 16;

/// Rows that are computed at a time at least: the gradients of all weights are read and written for them.
const LEAST_ROWS: usize = 1024;

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
        Matrix::by_rows(weights.w3.unwrap_or(&[]), if sizes.is_gated { f } else { 0 }, d),
        Matrix::by_rows(weights.output_proj, d, d),
        Matrix::by_rows(weights.q_proj, d, d),
        Matrix::by_rows(weights.k_proj, d, d),
        Matrix::by_rows(weights.v_proj, d, d),
        sizes.value_gate(&weights),
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
            let wide = rows.start * d..rows.end * d;
            let values = weights.values.map(|values| Values {
                embedding: &values.embedding[wide.clone()],
                ..values
            });
            let weights = Weights { values, ..weights };
            let backward = Backward {
                pool,
                level,
                sizes,
                weights,
                panels,
                x: &x[wide.clone()],
                saved: saved.rows(&sizes, rows),
                dy: &dy[wide.clone()],
            };
            let results = Results::divide(&sizes, level, memory);
            backward.run(results, &mut gradients, wide.start, &mut dx[wide]);
        }
    });
}

/// Some sequences, on their way back.
struct Backward<'a> {
    pool: &'a Pool,
    level: Level,
    sizes: Sizes,
    weights: Weights<'a>,
    /// `w2, w1, w3, output_proj, q_proj, k_proj, v_proj`, and the gate of embeddings.
    panels: [Panels<'a>; 8],
    x: &'a [f32],
    saved: Saved<&'a [f32]>,
    dy: &'a [f32],
}

impl Backward<'_> {
    /// Adds to `gradients`; those of embeddings are written from number `first` on.
    fn run(&self, results: Results<'_>, gradients: &mut Gradients<'_>, first: usize, dx: &mut [f32]) {
        let (d, f, num_rows) = (self.sizes.d_model, self.sizes.d_ff, self.sizes.num_rows());
        let Results {
            mut inner,
            mut heads,
            dvalue_gates,
            normed,
            dnormed,
            dattended,
            packed,
        } = results;
        let [gated, da, db] = inner.each_mut().map(|values| &mut values[..num_rows * f]);
        self.feed_forward([gated, da, db], [&mut *normed, &mut *dnormed, &mut *dattended], dx);
        let [gated, da, db] = inner.each_ref().map(|values| &values[..num_rows * f]);
        let mut products = vec![
            (0, f, self.dy, &mut *gradients.w2),
            (1, d, da, &mut *gradients.w1),
            (2, d, &*dx, &mut *gradients.output_proj),
        ];
        if let Some(w3) = &mut gradients.w3 {
            products.insert(2, (1, d, db, &mut **w3));
        }
        let norm = NormGradient {
            dy: dnormed,
            x: self.saved.middle,
            inverse_rms: self.saved.inverse_rms2,
            dweight: &mut *gradients.ln2,
        };
        let inputs = [(gated, f), (&*normed, d), (self.saved.attended, d)];
        super::gradients::add(self.sums(), packed, inputs, products, vec![norm]);
        let [dq, dk, dv] = inner.each_mut().map(|values| &mut values[..num_rows * d]);
        let each = heads.each_mut().map(|values| &mut **values);
        let (mut dgate, mut dembedding) = (None, &mut [][..]);
        if let Some(ValueGradients { gate, embedding }) = &mut gradients.values {
            (dgate, dembedding) = (Some(&mut **gate), &mut embedding[first..first + num_rows * d]);
        }
        let of_values = [&mut *dvalue_gates, dembedding];
        self.attention(
            [dq, dk, dv],
            each,
            of_values,
            dattended,
            [&mut *normed, &mut *dnormed],
            dx,
        );
        let [dq, dk, dv] = inner.each_ref().map(|values| &values[..num_rows * d]);
        let mut products = vec![
            (0, d, dq, &mut *gradients.q_proj),
            (0, d, dk, &mut *gradients.k_proj),
            (0, d, dv, &mut *gradients.v_proj),
        ];
        products.extend(dgate.map(|dgate| (0, self.sizes.value_channels, &*dvalue_gates, dgate)));
        let mut norms = vec![NormGradient {
            dy: dnormed,
            x: self.x,
            inverse_rms: self.saved.inverse_rms1,
            dweight: &mut *gradients.ln1,
        }];
        if let Some([q_norm, k_norm]) = &mut gradients.head_norms {
            let [dq, dk] = &heads;
            let of_queries = (&**dq, self.saved.q, self.saved.inverse_rms_q, &mut **q_norm);
            let of_keys = (&**dk, self.saved.k, self.saved.inverse_rms_k, &mut **k_norm);
            norms.extend([of_queries, of_keys].map(|(dy, x, inverse_rms, dweight)| NormGradient {
                dy,
                x,
                inverse_rms,
                dweight,
            }));
        }
        super::gradients::add(self.sums(), packed, [(&*normed, d)], products, norms);
    }

    fn sums(&self) -> Sums<'_> {
        Sums {
            pool: self.pool,
            level: self.level,
            precision: self.weights.precision,
            num_rows: self.sizes.num_rows(),
        }
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
            .zip(a.chunks(PIECE_ROWS * f).zip(pieces(b, PIECE_ROWS * f)));
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
                    if self.sizes.is_gated {
                        level.run(gate::ForwardBackward {
                            dout: dgated,
                            a,
                            b,
                            out: gated,
                            da,
                            db,
                        });
                    } else {
                        level.run(gate::ActivateForwardBackward {
                            activation: self.weights.activation,
                            dout: dgated,
                            a,
                            out: gated,
                            da,
                        });
                    }
                });
                multiply_rows(level, da, f, w1, dnormed, Start::Zero);
                if self.sizes.is_gated {
                    multiply_rows(level, db, f, w3, dnormed, Start::Sum);
                }
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
        [dnormed_q, dnormed_k]: [&mut [f32]; 2],
        [dvalue_gates, dembedding]: [&mut [f32]; 2],
        dattended: &[f32],
        [normed, dnormed]: [&mut [f32]; 2],
        dx: &mut [f32],
    ) {
        let (d, level, sizes) = (self.sizes.d_model, self.level, self.sizes);
        let (wide, num_vectors) = (sizes.num_positions * d, sizes.num_positions * sizes.num_heads);
        let [.., q_proj, k_proj, v_proj, value_gate] = self.panels;
        let embedding = self.weights.values.map_or(&[][..], |values| values.embedding);
        let (saved, how) = (&self.saved, (self.weights.precision, level));
        let given = (saved.q.chunks(wide).zip(saved.k.chunks(wide)).zip(saved.v.chunks(wide)))
            .zip(saved.attended.chunks(wide).zip(dattended.chunks(wide)))
            .zip(saved.logsumexp.chunks(num_vectors))
            .zip(pieces(saved.inverse_rms_q, num_vectors).zip(pieces(saved.inverse_rms_k, num_vectors)));
        let rows = (self.x.chunks(wide)).zip(saved.inverse_rms1.chunks(sizes.num_positions));
        let of_values = (pieces(saved.value_gates, num_vectors).zip(pieces(embedding, wide)))
            .zip(pieces_mut(dvalue_gates, num_vectors).zip(pieces_mut(dembedding, wide)));
        let results = (dq.chunks_mut(wide).zip(dk.chunks_mut(wide)).zip(dv.chunks_mut(wide)))
            .zip(normed.chunks_mut(wide).zip(dnormed.chunks_mut(wide)))
            .zip(dx.chunks_mut(wide))
            .zip(pieces_mut(dnormed_q, wide).zip(pieces_mut(dnormed_k, wide)));
        self.pool.for_each(
            given.zip(rows).zip(results.zip(of_values)),
            |((given, (x, inverse_rms)), results)| {
                let (((((q, k), v), (out, dout)), logsumexp), (inverse_rms_q, inverse_rms_k)) = given;
                let (results, ((u, embedding), (du, dembedding))) = results;
                let (((((dq, dk), dv), (normed, dnormed)), dx), (dnormed_q, dnormed_k)) = results;
                let mut of_heads = |queries_and_keys: [&[f32]; 2], [dq, dk]: [&mut [f32]; 2]| {
                    let [q, k] = queries_and_keys;
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
                    self.rotate([dq, dk], false);
                };
                match self.weights.head_norms {
                    None => of_heads([q, k], [&mut *dq, &mut *dk]),
                    Some(weights) => with_rows(2 * wide, |memory| {
                        let (normed_q, normed_k) = memory.split_at_mut(wide);
                        let [mut normed_q, mut normed_k] = [normed_q, normed_k];
                        let inverses = [inverse_rms_q, inverse_rms_k];
                        let all = weights.into_iter().zip(inverses).zip([q, k]);
                        for (((weight, inverse_rms), x), y) in all.clone().zip([&mut normed_q, &mut normed_k]) {
                            level.run(norm::Again {
                                x,
                                weight,
                                inverse_rms,
                                y,
                            });
                        }
                        self.rotate([&mut *normed_q, &mut *normed_k], true);
                        of_heads([normed_q, normed_k], [&mut *dnormed_q, &mut *dnormed_k]);
                        let gradients = [(&*dnormed_q, &mut *dq), (&*dnormed_k, &mut *dk)];
                        for (((weight, inverse_rms), x), (dy, dx)) in all.zip(gradients) {
                            level.run(norm::Backward {
                                dy,
                                x,
                                weight,
                                inverse_rms,
                                dx,
                                start: Start::Zero,
                            });
                        }
                    }),
                }
                multiply_rows(level, dq, d, q_proj, dnormed, Start::Zero);
                multiply_rows(level, dk, d, k_proj, dnormed, Start::Sum);
                multiply_rows(level, dv, d, v_proj, dnormed, Start::Sum);
                if sizes.value_channels > 0 {
                    values::backward(level, &sizes, value_gate, [u, embedding, dv], [dembedding, du, dnormed]);
                }
                self.norm(self.weights.ln1, x, inverse_rms, normed, dnormed, dx);
            },
        );
    }

    /// Rotates queries and keys of a sequence, or their gradients back.
    fn rotate(&self, vectors: [&mut [f32]; 2], is_forward: bool) {
        if let Some(angles) = self.weights.angles {
            for x in vectors {
                self.level.run(Rotate {
                    x,
                    angles,
                    num_heads: self.sizes.num_heads,
                    first_row: 0,
                    is_forward,
                });
            }
        }
    }
}
