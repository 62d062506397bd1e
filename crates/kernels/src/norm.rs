//! Root mean square normalization: `y = x / rms(x) * weight`. Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.

use crate::level::{Level, Work};
use crate::matmul::Start;
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Rows that a thread takes at a time.
const PIECE_ROWS: usize = 32;

/// Columns that a thread takes at a time for the weight's gradient: four cache lines.
pub(crate) const PIECE_COLUMNS: usize = 64;

/// Computes `y` and each row's 1 / sqrt(mean(x^2) + eps), which the backward pass takes.
///
/// # Panics
/// If the lengths do not fit.
pub fn rms_norm(pool: &Pool, x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse_rms: &mut [f32]) {
    let width = weight.len();
    assert_eq!(
        (x.len(), y.len()),
        (inverse_rms.len() * width, x.len()),
        "rows as long as the weight"
    );
    let level = Level::current();
    let pieces = x.chunks(PIECE_ROWS * width).zip(y.chunks_mut(PIECE_ROWS * width));
    pool.for_each(
        pieces.zip(inverse_rms.chunks_mut(PIECE_ROWS)),
        |((x, y), inverse_rms)| {
            level.run(Forward {
                x,
                weight,
                eps,
                y,
                inverse_rms,
            });
        },
    );
}

/// Normalizes rows.
pub(crate) struct Forward<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub eps: f32,
    pub y: &'a mut [f32],
    pub inverse_rms: &'a mut [f32],
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        let rows = self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for ((x, y), inverse) in rows.zip(self.inverse_rms) {
            let squares = rows::sum::<V, 1>([x], |sum, [x]| x.mul_add(x, sum));
            *inverse = 1.0 / (squares / width as f32 + self.eps).sqrt();
            let factor = V::splat(*inverse);
            rows::map::<V, 2, 1>([x, self.weight], [y], |[x, weight]| [x.mul(factor).mul(weight)]);
        }
    }
}

/// Computes again what rows were normalized to.
pub(crate) struct Again<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub inverse_rms: &'a [f32],
    pub y: &'a mut [f32],
}

impl Work for Again<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        let rows = self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width));
        for ((x, y), inverse) in rows.zip(self.inverse_rms) {
            let factor = V::splat(*inverse);
            rows::map::<V, 2, 1>([x, self.weight], [y], |[x, weight]| [x.mul(factor).mul(weight)]);
        }
    }
}

/// Computes the gradient `dx` of `x` from that of `y`, and adds the weight's to `dweight`, row by row.
///
/// # Panics
/// If the lengths do not fit.
pub fn rms_norm_backward(
    pool: &Pool,
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    inverse_rms: &[f32],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let width = weight.len();
    let len = inverse_rms.len() * width;
    assert_eq!(
        [dy.len(), x.len(), dx.len(), dweight.len()],
        [len, len, len, width],
        "rows as long as the weight"
    );
    let level = Level::current();
    let rows = dy.chunks(PIECE_ROWS * width).zip(x.chunks(PIECE_ROWS * width));
    let outputs = dx.chunks_mut(PIECE_ROWS * width).zip(inverse_rms.chunks(PIECE_ROWS));
    pool.for_each(rows.zip(outputs), |((dy, x), (dx, inverse_rms))| {
        level.run(Backward {
            dy,
            x,
            weight,
            inverse_rms,
            dx,
            start: Start::Zero,
        });
    });
    pool.for_each(dweight.chunks_mut(PIECE_COLUMNS).enumerate(), |(piece, dweight)| {
        level.run(WeightGradient {
            dy,
            x,
            inverse_rms,
            width,
            first: piece * PIECE_COLUMNS,
            dweight,
        });
    });
}

/// Computes the gradient of rows, or adds it to `dx`.
pub(crate) struct Backward<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub inverse_rms: &'a [f32],
    pub dx: &'a mut [f32],
    pub start: Start,
}

impl Work for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        let rows = self.dy.chunks_exact(width).zip(self.x.chunks_exact(width));
        for ((dy, x), (dx, inverse)) in rows.zip(self.dx.chunks_exact_mut(width).zip(self.inverse_rms)) {
            // With g = weight * dy: dx = g / rms - x * mean(g x) / rms^3.
            let product = rows::sum::<V, 3>([dy, x, self.weight], |sum, [dy, x, weight]| {
                dy.mul(weight).mul_add(x, sum)
            });
            let factor = V::splat(*inverse);
            let slope = V::splat(-(product / width as f32) * inverse * inverse * inverse);
            if self.start == Start::Zero {
                dx.fill(0.0);
            }
            rows::update::<V, 3>(dx, [dy, x, self.weight], |dx, [dy, x, weight]| {
                dx.add(dy.mul(weight).mul_add(factor, x.mul(slope)))
            });
        }
    }
}

/// Adds to a part of the weight's gradient, from column `first` on, row by row.
pub(crate) struct WeightGradient<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub inverse_rms: &'a [f32],
    pub width: usize,
    pub first: usize,
    pub dweight: &'a mut [f32],
}

impl Work for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let columns = self.first..self.first + self.dweight.len();
        let rows = self.dy.chunks_exact(self.width).zip(self.x.chunks_exact(self.width));
        for ((dy, x), inverse) in rows.zip(self.inverse_rms) {
            let factor = V::splat(*inverse);
            rows::update::<V, 2>(
                self.dweight,
                [&dy[columns.clone()], &x[columns.clone()]],
                |sum, [dy, x]| dy.mul_add(x.mul(factor), sum),
            );
        }
    }
}
