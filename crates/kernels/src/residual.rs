//! Sums of two streams by learned scales, whose gradients no order of tokens changes.

use crate::level::{Level, Work};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Numbers that a thread takes at a time.
const PIECE: usize = 1 << 14;

/// The gradients of scales are summed in float64 as multiples of 1 / 2^24, exactly, so that no order changes a bit.
const UNITS: f64 = (1u32 << 24) as f64;

/// Computes `y = scales[0] x + scales[1] other`.
///
/// # Panics
/// If the lengths differ.
pub fn scaled_sum(pool: &Pool, x: &[f32], other: &[f32], scales: [f32; 2], y: &mut [f32]) {
    assert_eq!([x.len(), other.len()], [y.len(); 2], "numbers of a sum");
    let level = Level::current();
    let pieces = x.chunks(PIECE).zip(other.chunks(PIECE)).zip(y.chunks_mut(PIECE));
    pool.for_each(pieces, |((x, other), y)| {
        level.run(Forward { x, other, scales, y });
    });
}

struct Forward<'a> {
    x: &'a [f32],
    other: &'a [f32],
    scales: [f32; 2],
    y: &'a mut [f32],
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let [first, second] = self.scales.map(V::splat);
        rows::map::<V, 2, 1>([self.x, self.other], [self.y], |[x, other]| {
            [x.mul_add(first, other.mul(second))]
        });
    }
}

/// What a sum's backward pass is given: the gradient of the sum, and what was summed.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as the forward pass calls them")]
pub struct Given<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub other: &'a [f32],
    pub scales: [f32; 2],
}

/// Computes the gradients of `x` and `other`, and returns those of the scales: sums over rows of `width` numbers, each
/// rounded to a multiple of 2^-24.
///
/// # Panics
/// If the lengths differ or are not of whole rows.
pub fn scaled_sum_backward(
    pool: &Pool,
    given: Given<'_>,
    width: usize,
    dx: &mut [f32],
    dother: &mut [f32],
) -> [f64; 2] {
    let Given { dy, x, other, scales } = given;
    assert_eq!(
        [x.len(), other.len(), dx.len(), dother.len()],
        [dy.len(); 4],
        "numbers of a sum"
    );
    assert!(width > 0 && dy.len().is_multiple_of(width), "rows of a sum");
    let level = Level::current();
    let piece = (PIECE / width).max(1) * width;
    let mut sums = vec![[0.0; 2]; dy.len().div_ceil(piece)];
    let inputs = dy.chunks(piece).zip(x.chunks(piece)).zip(other.chunks(piece));
    let results = dx.chunks_mut(piece).zip(dother.chunks_mut(piece)).zip(&mut sums);
    pool.for_each(inputs.zip(results), |(((dy, x), other), ((dx, dother), sums))| {
        let given = Given { dy, x, other, scales };
        *sums = level.run(Backward {
            given,
            width,
            dx,
            dother,
        });
    });
    [0, 1].map(|scale| sums.iter().map(|sums| sums[scale]).sum::<f64>() / UNITS)
}

struct Backward<'a> {
    given: Given<'a>,
    width: usize,
    dx: &'a mut [f32],
    dother: &'a mut [f32],
}

impl Work for Backward<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn run<V: Vector>(self) -> [f64; 2] {
        let (Given { dy, x, other, scales }, width) = (self.given, self.width);
        let mut sums = [0.0; 2];
        let inputs = dy
            .chunks_exact(width)
            .zip(x.chunks_exact(width).zip(other.chunks_exact(width)));
        let results = self.dx.chunks_exact_mut(width).zip(self.dother.chunks_exact_mut(width));
        let [first, second] = scales.map(V::splat);
        for ((dy, (x, other)), (dx, dother)) in inputs.zip(results) {
            let of_x = rows::sum::<V, 2>([dy, x], |sum, [dy, x]| dy.mul_add(x, sum));
            let of_other = rows::sum::<V, 2>([dy, other], |sum, [dy, other]| dy.mul_add(other, sum));
            sums[0] += (f64::from(of_x) * UNITS).round_ties_even();
            sums[1] += (f64::from(of_other) * UNITS).round_ties_even();
            rows::map::<V, 1, 2>([dy], [dx, dother], |[dy]| [dy.mul(first), dy.mul(second)]);
        }
        sums
    }
}
