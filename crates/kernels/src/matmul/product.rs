//! Products of what was packed, on one thread.

use std::cell::RefCell;

use super::matrix::Matrix;
use super::pack::{pack_lines, pack_rows, tile_words, Panels};
use super::tile::{add_tile, Lines, PackedLines, PackedRows};
use super::{Start, INNER_BLOCK};
use crate::arithmetic::{Arithmetic, Float32};
use crate::level::{Level, ProductWork, Work};
use crate::vector::{Vector, MAX_TILE_ROWS};

thread_local! {
    /// Rows of a left matrix, packed.
    static PACKED_ROWS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Computes `c = a b` or `c += a b` on this thread, where `b` is the first `num_columns` of what was packed, and of each
/// of these as many elements as `a` has columns.
pub(crate) struct Product<'a> {
    pub a: Matrix<'a>,
    pub panels: Panels<'a>,
    /// Rows that begin every `stride` elements.
    pub c: &'a mut [f32],
    pub stride: usize,
    pub num_columns: usize,
    pub start: Start,
}

/// Multiplies rows of `inner` numbers by a packed matrix, on this thread.
pub(crate) fn multiply_rows(level: Level, x: &[f32], inner: usize, panels: Panels<'_>, y: &mut [f32], start: Start) {
    let num_rows = x.len() / inner;
    let num_columns = y.len() / num_rows;
    let product = Product {
        a: Matrix::by_rows(x, num_rows, inner),
        panels,
        c: y,
        stride: num_columns,
        num_columns,
        start,
    };
    level.run_product(panels.precision, product);
}

impl ProductWork for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        assert_eq!(self.panels.precision, A::PRECISION, "the precision of what was packed");
        let mut packed_rows = PACKED_ROWS.take();
        self.add::<A>(&mut packed_rows, None);
        PACKED_ROWS.set(packed_rows);
    }
}

/// Computes the elements above the diagonal, and some below, of a product that is symmetric, of the rows from `first_row` on.
pub(crate) struct SymmetricProduct<'a> {
    pub product: Product<'a>,
    pub first_row: usize,
}

impl ProductWork for SymmetricProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        assert_eq!(
            self.product.panels.precision,
            A::PRECISION,
            "the precision of what was packed"
        );
        let mut packed_rows = PACKED_ROWS.take();
        self.product.add::<A>(&mut packed_rows, Some(self.first_row));
        PACKED_ROWS.set(packed_rows);
    }
}

/// In float32.
impl Work for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        ProductWork::run::<Float32<V>>(self);
    }
}

impl Product<'_> {
    /// Adds the products; where the first row is given, of a symmetric product, only up to the diagonal's tiles.
    #[inline(always)]
    fn add<A: Arithmetic>(self, packed_rows: &mut Vec<f32>, symmetric_from: Option<usize>) {
        let Self {
            a,
            panels,
            c,
            stride,
            num_columns,
            ..
        } = self;
        let (width, tile_rows) = (2 * A::V::LEN, A::V::TILE_ROWS);
        let (num_rows, inner) = (a.num_rows(), a.num_columns());
        let size = num_rows.div_ceil(tile_rows) * tile_words::<A>();
        let reads_lines = a.is_by_rows && A::STEPS == 1;
        if !reads_lines && packed_rows.len() < size {
            packed_rows.resize(size, 0.0);
        }
        let all = panels.words.chunks_exact(panels.len * width);
        for from in (0..inner).step_by(INNER_BLOCK * A::STEPS) {
            let len = (INNER_BLOCK * A::STEPS).min(inner - from);
            let (first_word, num_words) = (from / A::STEPS, len.div_ceil(A::STEPS));
            let start = if from == 0 { self.start } else { Start::Sum };
            if !a.is_by_rows {
                pack_rows::<A>(a, from, len, packed_rows);
            } else if !reads_lines {
                pack_lines::<A>(a, from, len, packed_rows.as_chunks_mut().0);
            }
            for (first_column, panel) in (0..num_columns).step_by(width).zip(all.clone()) {
                let right = &panel[(panels.from + first_word) * width..][..num_words * width];
                let end = match symmetric_from {
                    None => num_rows,
                    Some(first_row) => (first_column + width).saturating_sub(first_row).min(num_rows),
                };
                for row in (0..end).step_by(tile_rows) {
                    let size = (tile_rows.min(num_rows - row), width.min(num_columns - first_column));
                    let c = &mut c[row * stride + first_column..];
                    if !a.is_by_rows {
                        let rows = &packed_rows[row / tile_rows * tile_words::<A>()..][..tile_rows * num_words];
                        add_tile::<A>(PackedRows(rows), right, c, stride, size, start);
                    } else if reads_lines {
                        // Rows beyond the last are computed as the last, and not stored.
                        let line = |r: usize| a.line((row + r).min(num_rows - 1), from, len);
                        let lines: [&[f32]; MAX_TILE_ROWS] = std::array::from_fn(line);
                        add_tile::<A>(Lines(lines), right, c, stride, size, start);
                    } else {
                        let lines = &packed_rows.as_chunks().0[row..][..tile_rows];
                        add_tile::<A>(PackedLines(lines), right, c, stride, size, start);
                    }
                }
            }
        }
    }
}
