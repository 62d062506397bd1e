//! The forward pass of a block.

use super::values::AddWeighed;
use super::{pieces, pieces_mut, with_rows, Saved, Sizes, Weights, PIECE_ROWS};
use crate::attention::attention;
use crate::level::Level;
use crate::matmul::{multiply_rows, pack_shared, packed_len, Matrix, Panels, Product, Start};
use crate::pool::Pool;
use crate::rope::Rotate;
use crate::{gate, norm};

/// Computes `y` from the residual stream `x`, rows of all positions, and fills `saved`.
///
/// # Panics
/// If the lengths do not fit.
pub fn block(pool: &Pool, sizes: Sizes, weights: Weights<'_>, x: &[f32], saved: &mut [f32], y: &mut [f32]) {
    sizes.check(&weights, &[x, y], saved.len());
    if x.is_empty() {
        return;
    }
    let level = Level::current();
    let (d, f) = (sizes.d_model, sizes.d_ff);
    let matrices = [
        Matrix::by_rows(weights.q_proj, d, d),
        Matrix::by_rows(weights.k_proj, d, d),
        Matrix::by_rows(weights.v_proj, d, d),
        Matrix::by_rows(weights.output_proj, d, d),
        Matrix::by_rows(weights.w1, f, d),
        Matrix::by_rows(weights.w3.unwrap_or(&[]), if sizes.is_gated { f } else { 0 }, d),
        Matrix::by_rows(weights.w2, d, f),
        sizes.value_gate(&weights),
    ]
    .map(Matrix::transposed);
    let len: usize = matrices
        .iter()
        .map(|matrix| packed_len(weights.precision, level, *matrix))
        .sum();
    let mut rest = saved;
    let saved = sizes.divide(|len| rest.split_off_mut(..len).expect("memory for all"));
    let normed_len = if sizes.norms_heads { x.len() } else { 0 };
    pool.with_scratch(len + 2 * normed_len, |memory| {
        let (memory, normed) = memory.split_at_mut(len);
        let (normed_q, normed_k) = normed.split_at_mut(normed_len);
        let [q_proj, k_proj, v_proj, output_proj, w1, w3, w2, value_gate] =
            pack_shared(pool, weights.precision, level, matrices, memory);
        let forward = Forward { level, sizes, weights };
        let Saved { q, k, v, .. } = saved;
        let heads = pieces_mut(saved.inverse_rms_q, PIECE_ROWS * sizes.num_heads)
            .zip(pieces_mut(normed_q, PIECE_ROWS * d))
            .zip(
                pieces_mut(saved.inverse_rms_k, PIECE_ROWS * sizes.num_heads).zip(pieces_mut(normed_k, PIECE_ROWS * d)),
            );
        let embedding = weights.values.map_or(&[][..], |values| values.embedding);
        let embedding =
            pieces_mut(saved.value_gates, PIECE_ROWS * sizes.num_heads).zip(pieces(embedding, PIECE_ROWS * d));
        let rows = x
            .chunks(PIECE_ROWS * d)
            .zip(saved.inverse_rms1.chunks_mut(PIECE_ROWS))
            .zip(q.chunks_mut(PIECE_ROWS * d))
            .zip(k.chunks_mut(PIECE_ROWS * d))
            .zip(v.chunks_mut(PIECE_ROWS * d))
            .zip(heads.zip(embedding));
        pool.for_each(rows.enumerate(), |(piece, (((((x, inverse_rms), q), k), v), parts))| {
            let (heads, (u, embedding)) = parts;
            let outputs = [(q_proj, &mut *q), (k_proj, &mut *k), (v_proj, v)];
            forward.project(x, inverse_rms, outputs, (value_gate, u, embedding));
            let (of_queries, of_keys) = heads;
            for (number, (x, (inverse_rms, normed))) in [(q, of_queries), (k, of_keys)].into_iter().enumerate() {
                forward.position(number, piece * PIECE_ROWS, x, inverse_rms, normed);
            }
        });
        let [q, k] = if sizes.norms_heads {
            [normed_q, normed_k]
        } else {
            [q, k]
        };
        attention(
            pool,
            weights.precision,
            sizes.attention(sizes.num_sequences),
            q,
            k,
            v,
            saved.attended,
            saved.logsumexp,
        );
        let rows = x
            .chunks(PIECE_ROWS * d)
            .zip(saved.attended.chunks(PIECE_ROWS * d))
            .zip(saved.middle.chunks_mut(PIECE_ROWS * d))
            .zip(saved.inverse_rms2.chunks_mut(PIECE_ROWS))
            .zip(saved.a.chunks_mut(PIECE_ROWS * f))
            .zip(pieces_mut(saved.b, PIECE_ROWS * f))
            .zip(y.chunks_mut(PIECE_ROWS * d));
        pool.for_each(rows, |((((((x, attended), middle), inverse_rms), a), b), y)| {
            middle.copy_from_slice(x);
            multiply_rows(level, attended, d, output_proj, middle, Start::Sum);
            forward.feed_forward(middle, inverse_rms, [w1, w3, w2], [a, b, y]);
        });
    });
}

/// What every piece of rows is computed with.
struct Forward<'a> {
    level: Level,
    sizes: Sizes,
    weights: Weights<'a>,
}

impl Forward<'_> {
    /// Computes queries, keys and values of some rows, and adds embeddings to the values, if there are any.
    fn project(
        &self,
        x: &[f32],
        inverse_rms: &mut [f32],
        outputs: [(Panels<'_>, &mut [f32]); 3],
        (value_gate, u, embedding): (Panels<'_>, &mut [f32], &[f32]),
    ) {
        let Self { level, sizes, weights } = *self;
        with_rows(x.len(), |y| {
            let (weight, eps) = (weights.ln1, weights.eps);
            level.run(norm::Forward {
                x,
                weight,
                eps,
                y,
                inverse_rms,
            });
            let [.., (_, values)] = outputs.map(|(panels, output)| {
                multiply_rows(level, y, sizes.d_model, panels, output, Start::Zero);
                (panels, output)
            });
            if sizes.value_channels == 0 {
                return;
            }
            let product = Product {
                a: Matrix::strided(y, inverse_rms.len(), sizes.value_channels, sizes.d_model),
                panels: value_gate,
                c: &mut *u,
                stride: sizes.num_heads,
                num_columns: sizes.num_heads,
                start: Start::Zero,
            };
            level.run_product(value_gate.precision, product);
            level.run(AddWeighed {
                head_width: sizes.d_model / sizes.num_heads,
                u,
                embedding,
                values,
            });
        });
    }

    /// Normalizes and rotates queries (number 0) or keys (1) of some rows, where they are.
    fn position(&self, number: usize, first_row: usize, x: &mut [f32], inverse_rms: &mut [f32], normed: &mut [f32]) {
        let Self { level, sizes, weights } = *self;
        let mut x = x;
        if let Some(norms) = weights.head_norms {
            level.run(norm::Forward {
                x,
                weight: norms[number],
                eps: weights.eps,
                y: normed,
                inverse_rms,
            });
            x = normed;
        }
        if let Some(angles) = weights.angles {
            level.run(Rotate {
                x,
                angles,
                num_heads: sizes.num_heads,
                first_row,
                is_forward: true,
            });
        }
    }

    /// Computes the network of some rows, and adds it to them.
    fn feed_forward(
        &self,
        x: &[f32],
        inverse_rms: &mut [f32],
        [w1, w3, w2]: [Panels<'_>; 3],
        [a, b, y]: [&mut [f32]; 3],
    ) {
        let Self { level, sizes, weights } = *self;
        with_rows(x.len() + a.len(), |rows| {
            let (normed, gated) = rows.split_at_mut(x.len());
            level.run(norm::Forward {
                x,
                weight: weights.ln2,
                eps: weights.eps,
                y: normed,
                inverse_rms,
            });
            multiply_rows(level, normed, sizes.d_model, w1, a, Start::Zero);
            if sizes.is_gated {
                multiply_rows(level, normed, sizes.d_model, w3, b, Start::Zero);
                level.run(gate::Forward { a, b, out: gated });
            } else {
                let activation = weights.activation;
                level.run(gate::Activate {
                    activation,
                    a,
                    out: gated,
                });
            }
            y.copy_from_slice(x);
            multiply_rows(level, gated, sizes.d_ff, w2, y, Start::Sum);
        });
    }
}
