//! Matrix products, with each sum over the inner dimension in its order: `c = a b` and `c += a b`.
//!
//! The right matrix is packed into panels of as many columns as a tile of registers has; rows of the product are shared
//! among threads. A tile's sums stay in registers while [`INNER_BLOCK`] steps of the inner dimension pass; the panel of the
//! right matrix then lies in the first-level cache and the rows of the left one in the second.
//!
//! Each element of the product is one chain of fused multiply-adds from the first to the last inner index, begun at zero or
//! at what `c` holds: it has the same bits for any number of threads, and whether a product is added in one go or in
//! pieces of its inner dimension. In bfloat16 the second of two neighbours comes before the first, and pieces are of an even
//! length.

mod matrix;
mod pack;
mod product;
mod tile;

pub use crate::arithmetic::Precision;
pub use matrix::Matrix;
use pack::PanelWidth;
pub(crate) use pack::{pack, pack_shared, packed_len, padded_columns, Panels};
pub(crate) use product::{multiply_rows, Product, SymmetricProduct};

use crate::level::Level;
use crate::pool::Pool;
use crate::vector::MAX_TILE_ROWS;

/// Words of the inner dimension between two visits of a tile: 16 KiB of a panel of 16 columns, 32 KiB of one of 32.
const INNER_BLOCK: usize = 256;

/// Words of the right matrix packed at a time where the product is small enough to be passed over again: 1 MiB.
const SLAB_WORDS: usize = 1 << 18;

/// Words of the right matrix packed at a time at the most: 32 MiB.
const MOST_SLAB_WORDS: usize = 1 << 23;

/// What one thread computes at a time: some hundred microseconds, so that a core that is busy elsewhere gets fewer.
const PIECE_FLOPS: usize = 1 << 26;

/// Rows of the product that one thread computes at a time, at the most.
pub(crate) const MOST_PIECE_ROWS: usize = 192;

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
pub fn multiply(pool: &Pool, precision: Precision, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], start: Start) {
    let (num_rows, inner, num_columns) = (a.num_rows(), a.num_columns(), b.num_columns());
    assert_eq!(b.num_rows(), inner, "the inner dimensions of a product");
    assert_eq!(c.len(), num_rows * num_columns, "the elements of a product");
    if inner == 0 && start == Start::Zero {
        c.fill(0.0);
    }
    if c.is_empty() || inner == 0 {
        return;
    }
    let (level, steps) = (Level::current(), precision.steps());
    let width = level.run_product(precision, PanelWidth);
    let padded_columns = num_columns.next_multiple_of(width);
    // A product with few rows is small: passing over it once a slab costs less than packed columns out of the cache.
    let most = if num_rows < inner { SLAB_WORDS } else { MOST_SLAB_WORDS };
    let slab = (most / padded_columns).next_multiple_of(INNER_BLOCK);
    let slab = slab.min(inner.div_ceil(steps));
    let flops = 2 * num_rows * num_columns * (slab * steps).min(inner);
    let pieces_a_thread = (flops / pool.num_threads() / PIECE_FLOPS).clamp(1, 8);
    let share = num_rows.div_ceil(pieces_a_thread * pool.num_threads());
    let piece_rows = share.next_multiple_of(MAX_TILE_ROWS).min(MOST_PIECE_ROWS);
    pool.with_scratch(slab * padded_columns, |packed| {
        for from in (0..inner).step_by(slab * steps) {
            let block = from..(from + slab * steps).min(inner);
            let right = b.part(block.clone(), 0..num_columns);
            let packed = &mut packed[..block.len().div_ceil(steps) * padded_columns];
            let [panels] = pack_shared(pool, precision, level, [right], packed);
            let start = if from == 0 { start } else { Start::Sum };
            let pieces = c.chunks_mut(piece_rows * num_columns).enumerate();
            pool.for_each(pieces, |(piece, c)| {
                let first = piece * piece_rows;
                let rows = first..first + c.len() / num_columns;
                let product = Product {
                    a: a.part(rows, block.clone()),
                    panels,
                    c,
                    stride: num_columns,
                    num_columns,
                    start,
                };
                level.run_product(precision, product);
            });
        }
    });
}

#[cfg(test)]
mod tests;
