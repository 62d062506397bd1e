//! The forward pass of a block.

use super::{with_rows, Saved, Sizes, Weights, PIECE_ROWS};
use crate::attention::attention;
use crate::level::Level;
use crate::matmul::{multiply_rows, pack_shared, packed_len, Matrix, Panels, Start};
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
        Matrix::by_rows(weights.w3, f, d),
        Matrix::by_rows(weights.w2, d, f),
    ]
    .map(Matrix::transposed);
    let len = matrices
        .iter()
        .map(|matrix| packed_len(weights.precision, level, *matrix))
        .sum();
    let mut rest = saved;
    let saved = sizes.divide(|len| rest.split_off_mut(..len).expect("memory for all"));
    pool.with_scratch(len, |memory| {
        let [q_proj, k_proj, v_proj, output_proj, w1, w3, w2] =
            pack_shared(pool, weights.precision, level, matrices, memory);
        let forward = Forward { level, sizes, weights };
        let Saved { q, k, v, .. } = saved;
        let rows = x
            .chunks(PIECE_ROWS * d)
            .zip(saved.inverse_rms1.chunks_mut(PIECE_ROWS))
            .zip(q.chunks_mut(PIECE_ROWS * d))
            .zip(k.chunks_mut(PIECE_ROWS * d))
            .zip(v.chunks_mut(PIECE_ROWS * d));
        pool.for_each(rows.enumerate(), |(piece, ((((x, inverse_rms), q), k), v))| {
            let outputs = [(q_proj, q), (k_proj, k), (v_proj, v)];
            forward.project(piece * PIECE_ROWS, x, inverse_rms, outputs);
        });
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
            .zip(saved.b.chunks_mut(PIECE_ROWS * f))
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
    /// Computes queries, keys and values of some rows.
    fn project(&self, first_row: usize, x: &[f32], inverse_rms: &mut [f32], outputs: [(Panels<'_>, &mut [f32]); 3]) {
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
            for (number, (panels, output)) in outputs.into_iter().enumerate() {
                multiply_rows(level, y, sizes.d_model, panels, output, Start::Zero);
                if let (0 | 1, Some(angles)) = (number, weights.angles) {
                    level.run(Rotate {
                        x: output,
                        angles,
                        num_heads: sizes.num_heads,
                        first_row,
                        is_forward: true,
                    });
                }
            }
        });
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
            multiply_rows(level, normed, sizes.d_model, w3, b, Start::Zero);
            level.run(gate::Forward { a, b, out: gated });
            y.copy_from_slice(x);
            multiply_rows(level, gated, sizes.d_ff, w2, y, Start::Sum);
        });
    }
}
