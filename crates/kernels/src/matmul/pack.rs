//! Packing: the words of a matrix, in the order in which the innermost loop reads them.

use super::matrix::Matrix;
use super::{Precision, INNER_BLOCK};
use crate::arithmetic::Arithmetic;
use crate::level::{Level, ProductWork};
use crate::vector::{Vector, MAX_LEN};

/// A packed right matrix: panel after panel, each of `len` rows of words as wide as a tile.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(super) words: &'a [f32],
    pub(super) len: usize,
    pub(super) precision: Precision,
}

/// The columns of a tile at a level.
pub(super) struct PanelWidth;

impl ProductWork for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> usize {
        2 * A::V::LEN
    }
}

/// Packs a matrix for [`super::Product`], on this thread.
pub(crate) fn pack<'a>(level: Level, b: Matrix<'_>, packed: &'a mut Vec<f32>) -> Panels<'a> {
    pack_as(Precision::Float32, level, b, packed)
}

/// Packs a matrix for [`super::Product`] with a precision, on this thread.
pub(crate) fn pack_as<'a>(precision: Precision, level: Level, b: Matrix<'_>, packed: &'a mut Vec<f32>) -> Panels<'a> {
    let (width, num_columns) = (level.run_product(precision, PanelWidth), b.num_columns());
    let len = b.num_rows().div_ceil(precision.steps());
    let size = len * num_columns.next_multiple_of(width);
    if packed.len() < size {
        packed.resize(size, 0.0);
    }
    for (panel, packed) in packed[..size].chunks_mut((len * width).max(1)).enumerate() {
        let columns = b.part(0..b.num_rows(), panel * width..((panel + 1) * width).min(num_columns));
        level.run_product(precision, Pack { columns, packed });
    }
    Panels {
        words: &packed[..size],
        len,
        precision,
    }
}

/// Packs at most as many columns as a tile has, so that the words of each row follow each other; columns that are lacking
/// are zeros.
pub(super) struct Pack<'a> {
    pub columns: Matrix<'a>,
    pub packed: &'a mut [f32],
}

impl ProductWork for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { columns, packed } = self;
        let (width, len, num_columns) = (2 * A::V::LEN, columns.num_rows(), columns.num_columns());
        if columns.is_by_rows {
            for (k, words) in packed.chunks_exact_mut(width).enumerate() {
                let [first, second] = lines::<A>(columns, k * A::STEPS, 0, num_columns);
                for (place, words) in (0..).step_by(A::V::LEN).zip(words.chunks_exact_mut(A::V::LEN)) {
                    join::<A>(first, second, place).store(words);
                }
            }
            return;
        }
        if num_columns < width {
            packed.fill(0.0);
        }
        let mut words = [0.0; INNER_BLOCK];
        let block = INNER_BLOCK * A::STEPS;
        for column in 0..num_columns {
            for (from, packed) in (0..len).step_by(block).zip(packed.chunks_mut(width * INNER_BLOCK)) {
                pack_line::<A>(columns.line(column, from, block.min(len - from)), &mut words);
                for (row, word) in packed.chunks_exact_mut(width).zip(&words) {
                    row[column] = *word;
                }
            }
        }
    }
}

/// Packs rows of `a`, which lies by rows, one after the other, from an inner index on.
#[inline(always)]
pub(super) fn pack_lines<A: Arithmetic>(a: Matrix<'_>, from: usize, len: usize, packed: &mut [[f32; INNER_BLOCK]]) {
    for (row, words) in packed.iter_mut().enumerate().take(a.num_rows()) {
        pack_line::<A>(a.line(row, from, len), words);
    }
}

/// Packs numbers that follow each other along the inner dimension, at most those of a block.
#[inline(always)]
fn pack_line<A: Arithmetic>(line: &[f32], words: &mut [f32; INNER_BLOCK]) {
    let mut numbers = line.chunks_exact(A::V::LEN * A::STEPS);
    let mut words = words.chunks_exact_mut(A::V::LEN);
    for (numbers, words) in numbers.by_ref().zip(words.by_ref()) {
        A::gather(numbers).store(words);
    }
    let rest = numbers.remainder();
    if let (false, Some(words)) = (rest.is_empty(), words.next()) {
        let mut padded = [0.0; 2 * MAX_LEN];
        padded[..rest.len()].copy_from_slice(rest);
        A::gather(&padded).store(words);
    }
}

/// Packs rows of `a`, which lies by columns, from an inner index on, so that the words of each tile's rows at an inner
/// index follow each other. What follows the last of them is overwritten, up to a register.
#[inline(always)]
pub(super) fn pack_rows<A: Arithmetic>(a: Matrix<'_>, from: usize, len: usize, packed: &mut [f32]) {
    let (group, num_words) = (A::V::TILE_ROWS, len.div_ceil(A::STEPS));
    for (number, first_row) in (0..a.num_rows()).step_by(group).enumerate() {
        let packed = &mut packed[number * group * num_words..];
        for k in 0..num_words {
            // More rows than the tile has: their words are overwritten by the next ones.
            let [first, second] = lines::<A>(a, from + k * A::STEPS, first_row, a.num_rows() - first_row);
            join::<A>(first, second, 0).store(&mut packed[k * group..]);
        }
    }
}

/// The lines of a matrix that the words of an inner index join; the second is empty where there is none.
#[inline(always)]
fn lines<'a, A: Arithmetic>(matrix: Matrix<'a>, line: usize, from: usize, len: usize) -> [&'a [f32]; 2] {
    let second = if A::STEPS == 2 && line + 1 < matrix.num_lines {
        matrix.line(line + 1, from, len)
    } else {
        &[]
    };
    [matrix.line(line, from, len), second]
}

/// A register of words of two lines, from a place on.
#[inline(always)]
fn join<A: Arithmetic>(first: &[f32], second: &[f32], place: usize) -> A::V {
    let load = |line: &[f32]| A::V::load_some(&line[place.min(line.len())..]);
    A::join(load(first), load(second))
}
