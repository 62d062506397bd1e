//! Packing, and products of what was packed, on one thread.

use std::cell::RefCell;

use super::matrix::Matrix;
use super::tile::{add_tile, Lines, Packed};
use super::{Start, INNER_BLOCK};
use crate::level::{Level, Work};
use crate::vector::{Vector, MAX_TILE_ROWS};

/// The columns of a tile at a level.
pub(super) struct PanelWidth;

impl Work for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self) -> usize {
        2 * V::LEN
    }
}

/// Packs a matrix for [`Product`], on this thread.
pub(crate) fn pack<'a>(level: Level, b: Matrix<'_>, packed: &'a mut Vec<f32>) -> Panels<'a> {
    let (width, len, num_columns) = (level.run(PanelWidth), b.num_rows(), b.num_columns());
    let size = len * num_columns.next_multiple_of(width);
    if packed.len() < size {
        packed.resize(size, 0.0);
    }
    for (panel, packed) in packed[..size].chunks_mut((len * width).max(1)).enumerate() {
        let columns = b.part(0..len, panel * width..((panel + 1) * width).min(num_columns));
        level.run(Pack { columns, packed });
    }
    Panels {
        elements: &packed[..size],
        len,
    }
}

/// Copies at most as many columns as a tile has, so that the elements of each row follow each other; columns that are
/// lacking are zeros.
pub(super) struct Pack<'a> {
    pub columns: Matrix<'a>,
    pub packed: &'a mut [f32],
}

impl Work for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { columns, packed } = self;
        let (width, len, num_columns) = (2 * V::LEN, columns.num_rows(), columns.num_columns());
        if num_columns < width {
            packed.fill(0.0);
        }
        if !columns.is_by_rows {
            for column in 0..num_columns {
                for (row, value) in packed.chunks_exact_mut(width).zip(columns.line(column, 0, len)) {
                    row[column] = *value;
                }
            }
        } else if num_columns == width {
            for (k, row) in packed.chunks_exact_mut(width).enumerate() {
                let line = columns.line(k, 0, width);
                V::load(line).store(row);
                V::load(&line[V::LEN..]).store(&mut row[V::LEN..]);
            }
        } else {
            for (k, row) in packed.chunks_exact_mut(width).enumerate() {
                row[..num_columns].copy_from_slice(columns.line(k, 0, num_columns));
            }
        }
    }
}

/// A packed right matrix: panel after panel, each of `len` rows as wide as a tile.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(super) elements: &'a [f32],
    pub(super) len: usize,
}

thread_local! {
    /// Rows of a left matrix that lies by columns, packed.
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

impl Work for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let mut packed_rows = PACKED_ROWS.take();
        self.add::<V>(&mut packed_rows);
        PACKED_ROWS.set(packed_rows);
    }
}

impl Product<'_> {
    #[inline(always)]
    fn add<V: Vector>(self, packed_rows: &mut Vec<f32>) {
        let Self {
            a,
            panels,
            c,
            stride,
            num_columns,
            ..
        } = self;
        let (width, num_rows, inner) = (2 * V::LEN, a.num_rows(), a.num_columns());
        let panels = panels.elements.chunks_exact(panels.len * width);
        for from in (0..inner).step_by(INNER_BLOCK) {
            let len = INNER_BLOCK.min(inner - from);
            let start = if from == 0 { self.start } else { Start::Sum };
            if !a.is_by_rows {
                let size = num_rows.next_multiple_of(V::TILE_ROWS) * len;
                if packed_rows.len() < size {
                    packed_rows.resize(size, 0.0);
                }
                pack_rows(a, V::TILE_ROWS, from, len, packed_rows);
            }
            for (first_column, panel) in (0..num_columns).step_by(width).zip(panels.clone()) {
                let right = &panel[from * width..][..len * width];
                for row in (0..num_rows).step_by(V::TILE_ROWS) {
                    let size = (V::TILE_ROWS.min(num_rows - row), width.min(num_columns - first_column));
                    let c = &mut c[row * stride + first_column..];
                    if a.is_by_rows {
                        // Rows beyond the last are computed as the last, and not stored.
                        let line = |r: usize| a.line((row + r).min(num_rows - 1), from, len);
                        let lines: [&[f32]; MAX_TILE_ROWS] = std::array::from_fn(line);
                        add_tile::<V>(&Lines(lines), right, c, stride, size, start);
                    } else {
                        let rows = &packed_rows[row * len..][..V::TILE_ROWS * len];
                        add_tile::<V>(&Packed(rows), right, c, stride, size, start);
                    }
                }
            }
        }
    }
}

/// Copies the rows of `a`, which lies by columns, so that the elements of each `group` of rows at an inner index follow
/// each other.
#[inline(always)]
fn pack_rows(a: Matrix<'_>, group: usize, from: usize, len: usize, packed: &mut [f32]) {
    let end = a.num_rows();
    for (first, packed) in (0..end).step_by(group).zip(packed.chunks_mut(group * len)) {
        let num_rows = group.min(end - first);
        if num_rows == group {
            for (k, packed) in packed.chunks_exact_mut(group).enumerate() {
                // A loop, not a copy: its length is a constant once this is inlined.
                for (packed, value) in packed.iter_mut().zip(a.line(from + k, first, group)) {
                    *packed = *value;
                }
            }
        } else {
            for (k, packed) in packed.chunks_exact_mut(group).enumerate() {
                packed[..num_rows].copy_from_slice(a.line(from + k, first, num_rows));
            }
        }
    }
}
