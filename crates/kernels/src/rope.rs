//! Rotary position embedding: each pair of neighbouring channels is rotated by the angle of its position.
//! Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 15.

use crate::level::{Level, Work};
use crate::pool::Pool;
use crate::vector::Vector;

/// Rows that a thread takes at a time.
const PIECE_ROWS: usize = 32;

/// Rotates the vectors of all heads; `x` is rows of `num_heads` vectors, and row r has the position r modulo the number of
/// positions in `cos` and `sin`, which have an angle a pair.
///
/// The gradient is the rotation back: with `sin` negated.
///
/// # Panics
/// If the lengths do not fit.
pub fn rotate(pool: &Pool, x: &[f32], cos: &[f32], sin: &[f32], num_positions: usize, num_heads: usize, y: &mut [f32]) {
    let pairs = cos.len() / num_positions.max(1);
    let width = num_heads * 2 * pairs;
    assert_eq!((cos.len(), sin.len()), (num_positions * pairs, cos.len()), "angles");
    assert_eq!(x.len(), y.len(), "vectors");
    if x.is_empty() {
        return;
    }
    assert_eq!(x.len() % width, 0, "rows of vectors");
    let level = Level::current();
    let pieces = x
        .chunks(PIECE_ROWS * width)
        .zip(y.chunks_mut(PIECE_ROWS * width))
        .enumerate();
    pool.for_each(pieces, |(piece, (x, y))| {
        level.run(Rotate {
            x,
            cos,
            sin,
            pairs,
            num_heads,
            first_row: piece * PIECE_ROWS,
            num_positions,
            y,
        });
    });
}

struct Rotate<'a> {
    x: &'a [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    pairs: usize,
    num_heads: usize,
    first_row: usize,
    num_positions: usize,
    y: &'a mut [f32],
}

impl Work for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let vectors = self
            .x
            .chunks_exact(2 * self.pairs)
            .zip(self.y.chunks_exact_mut(2 * self.pairs));
        for (vector, (x, y)) in vectors.enumerate() {
            let position = (self.first_row + vector / self.num_heads) % self.num_positions;
            let angles = position * self.pairs..(position + 1) * self.pairs;
            let angles = self.cos[angles.clone()].iter().zip(&self.sin[angles]);
            let pairs = x.as_chunks::<2>().0.iter().zip(y.as_chunks_mut::<2>().0);
            for ((cos, sin), ([x0, x1], y)) in angles.zip(pairs) {
                *y = [x0 * cos - x1 * sin, x0 * sin + x1 * cos];
            }
        }
    }
}
