//! Matrix products, with each sum over the inner dimension in its order: `c = a b` and `c += a b`.
//!
//! The right matrix is packed into panels of as many columns as a tile of registers has; rows of the product are shared
//! among threads. A tile's sums stay in registers while [`INNER_BLOCK`] steps of the inner dimension pass; the panel of the
//! right matrix then lies in the first-level cache and the rows of the left one in the second.
//!
//! Each element of the product is one chain of fused multiply-adds from the first to the last inner index, begun at zero or
//! at what `c` holds: it has the same bits for any number of threads, and whether a product is added in one go or in
//! pieces of its inner dimension.

mod matrix;
mod product;
mod tile;

pub use matrix::Matrix;
pub(crate) use product::{pack, Panels, Product};
use product::{Pack, PanelWidth};

use crate::level::Level;
use crate::pool::Pool;
use crate::vector::MAX_TILE_ROWS;

/// Steps of the inner dimension between two visits of a tile: 16 KiB of a panel of 16 columns.
const INNER_BLOCK: usize = 256;

/// Elements of the right matrix packed at a time where the product is small enough to be passed over again: 2 MiB.
const SLAB_ELEMENTS: usize = 1 << 19;

/// Elements of the right matrix packed at a time at the most: 32 MiB.
const MOST_SLAB_ELEMENTS: usize = 1 << 23;

/// Rows of the product that one thread computes at a time, at the most.
const MOST_PIECE_ROWS: usize = 96;

/// What a product begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Zeros: `c = a b`, whatever `c` held.
    Zero,
    /// What is there: `c += a b`.
    Sum,
}

/// Computes `c = a b`, or `c += a b`, with `c` by rows.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply(pool: &Pool, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], start: Start) {
    let (num_rows, inner, num_columns) = (a.num_rows(), a.num_columns(), b.num_columns());
    assert_eq!(b.num_rows(), inner, "the inner dimensions of a product");
    assert_eq!(c.len(), num_rows * num_columns, "the elements of a product");
    if inner == 0 && start == Start::Zero {
        c.fill(0.0);
    }
    if c.is_empty() || inner == 0 {
        return;
    }
    let level = Level::current();
    let width = level.run(PanelWidth);
    let padded_columns = num_columns.next_multiple_of(width);
    // A product with few rows is small: passing over it once a slab costs less than packed columns out of the cache.
    let most = if num_rows < inner {
        SLAB_ELEMENTS
    } else {
        MOST_SLAB_ELEMENTS
    };
    let slab = (most / padded_columns).next_multiple_of(INNER_BLOCK).min(inner);
    let share = num_rows.div_ceil(8 * pool.num_threads());
    let piece_rows = share.next_multiple_of(MAX_TILE_ROWS).min(MOST_PIECE_ROWS);
    pool.with_scratch(slab * padded_columns, |packed| {
        for from in (0..inner).step_by(slab) {
            let block = from..(from + slab).min(inner);
            let packed = &mut packed[..block.len() * padded_columns];
            let panels = packed.chunks_mut(block.len() * width).enumerate();
            pool.for_each(panels, |(panel, packed)| {
                let columns = panel * width..((panel + 1) * width).min(num_columns);
                let columns = b.part(block.clone(), columns);
                level.run(Pack { columns, packed });
            });
            let panels = Panels {
                elements: packed,
                len: block.len(),
            };
            let start = if from == 0 { start } else { Start::Sum };
            let pieces = c.chunks_mut(piece_rows * num_columns).enumerate();
            pool.for_each(pieces, |(piece, c)| {
                let first = piece * piece_rows;
                let rows = first..first + c.len() / num_columns;
                level.run(Product {
                    a: a.part(rows, block.clone()),
                    panels,
                    c,
                    stride: num_columns,
                    num_columns,
                    start,
                });
            });
        }
    });
}

#[cfg(test)]
mod tests;
