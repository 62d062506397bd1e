//! The innermost loop: a tile of the product, held in registers while the inner dimension passes by.

use super::{Start, INNER_BLOCK};
use crate::arithmetic::Arithmetic;
use crate::vector::{Vector, MAX_TILE_ROWS};

/// Rows of a left matrix, as words.
pub(super) trait Left: Copy {
    /// Returns the first words of each row: the loop is known not to leave them, and checks nothing.
    fn first(self, len: usize) -> Self;

    /// Returns the words of the rows at a place of the inner dimension.
    fn at<V: Vector>(&self, k: usize) -> impl Fn(usize) -> f32;
}

/// Rows as they lie in a matrix by rows.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a>(pub [&'a [f32]; MAX_TILE_ROWS]);

impl Left for Lines<'_> {
    #[inline(always)]
    fn first(self, len: usize) -> Self {
        Self(self.0.map(|line| &line[..len]))
    }

    #[inline(always)]
    fn at<V: Vector>(&self, k: usize) -> impl Fn(usize) -> f32 {
        move |row| self.0[row][k]
    }
}

/// Rows that were packed one after the other.
#[derive(Clone, Copy)]
pub(super) struct PackedLines<'a>(pub &'a [[f32; INNER_BLOCK]]);

impl Left for PackedLines<'_> {
    #[inline(always)]
    fn first(self, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn at<V: Vector>(&self, k: usize) -> impl Fn(usize) -> f32 {
        let rows = &self.0[..V::TILE_ROWS];
        move |row| rows[row][k]
    }
}

/// Rows whose words at a place of the inner dimension were packed together.
#[derive(Clone, Copy)]
pub(super) struct PackedRows<'a>(pub &'a [f32]);

impl Left for PackedRows<'_> {
    #[inline(always)]
    fn first(self, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn at<V: Vector>(&self, k: usize) -> impl Fn(usize) -> f32 {
        let words = &self.0[k * V::TILE_ROWS..][..V::TILE_ROWS];
        move |row| words[row]
    }
}

/// Adds the product of `left` and the panel `right` to a tile of at most as many rows and columns as the registers hold;
/// `c` begins at its first element.
#[inline(always)]
pub(super) fn add_tile<A: Arithmetic>(
    left: impl Left,
    right: &[f32],
    c: &mut [f32],
    stride: usize,
    (num_rows, num_columns): (usize, usize),
    start: Start,
) {
    let width = 2 * A::V::LEN;
    if num_rows == A::V::TILE_ROWS && num_columns == width {
        return add_whole_tile::<A>(left, right, c, stride, start);
    }
    let mut tile = [0.0f32; 32 * MAX_TILE_ROWS];
    for (tile, c) in tile.chunks_exact_mut(width).zip(c.chunks(stride)).take(num_rows) {
        tile[..num_columns].copy_from_slice(&c[..num_columns]);
    }
    add_whole_tile::<A>(left, right, &mut tile, width, start);
    for (tile, c) in tile.chunks_exact(width).zip(c.chunks_mut(stride)).take(num_rows) {
        c[..num_columns].copy_from_slice(&tile[..num_columns]);
    }
}

#[inline(always)]
fn add_whole_tile<A: Arithmetic>(left: impl Left, right: &[f32], c: &mut [f32], stride: usize, start: Start) {
    let (rows, len) = (A::V::TILE_ROWS, A::V::LEN);
    let mut sums = [[A::V::splat(0.0); 2]; MAX_TILE_ROWS];
    if start == Start::Sum {
        for (r, sums) in sums.iter_mut().enumerate().take(rows) {
            let c = &c[r * stride..][..2 * len];
            *sums = [A::begin(A::V::load(c)), A::begin(A::V::load(&c[len..]))];
        }
    }
    let num_words = (right.len() / (2 * len)).min(INNER_BLOCK);
    let left = left.first(num_words);
    for k in 0..num_words {
        let right = &right[k * 2 * len..][..2 * len];
        let right = [A::V::load(right), A::V::load(&right[len..])];
        let words = left.at::<A::V>(k);
        for (r, sums) in sums.iter_mut().enumerate().take(rows) {
            let left = A::V::splat(words(r));
            *sums = [A::mul_add(left, right[0], sums[0]), A::mul_add(left, right[1], sums[1])];
        }
    }
    for (r, sums) in sums.iter().enumerate().take(rows) {
        let c = &mut c[r * stride..][..2 * len];
        sums[0].store(c);
        sums[1].store(&mut c[len..]);
    }
}
