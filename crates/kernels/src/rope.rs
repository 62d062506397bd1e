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
    let angles = Angles {
        cos,
        sin,
        num_positions,
    };
    let pieces = x
        .chunks(PIECE_ROWS * width)
        .zip(y.chunks_mut(PIECE_ROWS * width))
        .enumerate();
    pool.for_each(pieces, |(piece, (x, y))| {
        y.copy_from_slice(x);
        level.run(Rotate {
            x: y,
            angles,
            num_heads,
            first_row: piece * PIECE_ROWS,
            is_forward: true,
        });
    });
}

/// The angles of each position, one a pair of channels.
#[derive(Clone, Copy, Debug)]
pub struct Angles<'a> {
    /// Their cosines, by position.
    pub cos: &'a [f32],
    /// Their sines.
    pub sin: &'a [f32],
    /// Positions that they are there for.
    pub num_positions: usize,
}

/// Rotates vectors in place; backward, by the opposite angles.
pub(crate) struct Rotate<'a> {
    pub x: &'a mut [f32],
    pub angles: Angles<'a>,
    pub num_heads: usize,
    /// The position of the first row is this modulo the number of positions.
    pub first_row: usize,
    pub is_forward: bool,
}

impl Work for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Angles {
            cos,
            sin,
            num_positions,
        } = self.angles;
        let pairs = cos.len() / num_positions;
        let direction = if self.is_forward { 1.0 } else { -1.0 };
        for (row, heads) in self.x.chunks_exact_mut(self.num_heads * 2 * pairs).enumerate() {
            let position = (self.first_row + row) % num_positions;
            let angles = position * pairs..(position + 1) * pairs;
            let (cos, sin) = (&cos[angles.clone()], &sin[angles]);
            for x in heads.chunks_exact_mut(2 * pairs) {
                for ((cos, sin), x) in cos.iter().zip(sin).zip(x.as_chunks_mut::<2>().0) {
                    let sin = direction * sin;
                    *x = [x[0] * cos - x[1] * sin, x[0] * sin + x[1] * cos];
                }
            }
        }
    }
}
