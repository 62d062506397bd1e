//! The innermost loop: a tile of the product, held in registers while the inner dimension passes by.

use super::Start;
use crate::vector::{Vector, MAX_TILE_ROWS};

/// Rows of a left matrix.
pub(super) trait Left {
    /// Returns an element.
    ///
    /// Always inlined
    fn at<V: Vector>(&self, row: usize, k: usize) -> f32;
}

/// Rows as they lie in a matrix by rows.
pub(super) struct Lines<'a>(pub [&'a [f32]; MAX_TILE_ROWS]);

impl Left for Lines<'_> {
    #[inline(always)]
    fn at<V: Vector>(&self, row: usize, k: usize) -> f32 {
        self.0[row][k]
    }
}

/// Rows that were packed.
pub(super) struct Packed<'a>(pub &'a [f32]);

impl Left for Packed<'_> {
    #[inline(always)]
    fn at<V: Vector>(&self, row: usize, k: usize) -> f32 {
        self.0[k * V::TILE_ROWS + row]
    }
}

/// Adds the product of `left` and the panel `right` to a tile of at most as many rows and columns as the registers hold;
/// `c` begins at its first element.
#[inline(always)]
pub(super) fn add_tile<V: Vector>(
    left: &impl Left,
    right: &[f32],
    c: &mut [f32],
    stride: usize,
    (num_rows, num_columns): (usize, usize),
    start: Start,
) {
    let width = 2 * V::LEN;
    if num_rows == V::TILE_ROWS && num_columns == width {
        return add_whole_tile::<V>(left, right, c, stride, start);
    }
    let mut tile = [0.0f32; 32 * MAX_TILE_ROWS];
    for (tile, c) in tile.chunks_exact_mut(width).zip(c.chunks(stride)).take(num_rows) {
        tile[..num_columns].copy_from_slice(&c[..num_columns]);
    }
    add_whole_tile::<V>(left, right, &mut tile, width, start);
    for (tile, c) in tile.chunks_exact(width).zip(c.chunks_mut(stride)).take(num_rows) {
        c[..num_columns].copy_from_slice(&tile[..num_columns]);
    }
}

#[inline(always)]
fn add_whole_tile<V: Vector>(left: &impl Left, right: &[f32], c: &mut [f32], stride: usize, start: Start) {
    let mut sums = [[V::splat(0.0); 2]; MAX_TILE_ROWS];
    if start == Start::Sum {
        for (r, sums) in sums.iter_mut().enumerate().take(V::TILE_ROWS) {
            let c = &c[r * stride..][..2 * V::LEN];
            *sums = [V::load(c), V::load(&c[V::LEN..])];
        }
    }
    for (k, right) in right.chunks_exact(2 * V::LEN).enumerate() {
        let right = [V::load(right), V::load(&right[V::LEN..])];
        for (r, sums) in sums.iter_mut().enumerate().take(V::TILE_ROWS) {
            let left = V::splat(left.at::<V>(r, k));
            *sums = [left.mul_add(right[0], sums[0]), left.mul_add(right[1], sums[1])];
        }
    }
    for (r, sums) in sums.iter().enumerate().take(V::TILE_ROWS) {
        let c = &mut c[r * stride..][..2 * V::LEN];
        sums[0].store(c);
        sums[1].store(&mut c[V::LEN..]);
    }
}
