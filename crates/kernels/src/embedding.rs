//! The gradient of a table of which rows were looked up.

use crate::pool::Pool;

/// Adds each token's gradient to its row of `dtable`, token by token.
///
/// # Panics
/// If the lengths do not fit, or an id is no row of the table.
pub fn add_rows(pool: &Pool, ids: &[i64], drows: &[f32], dtable: &mut [f32], width: usize) {
    assert_eq!(
        (drows.len(), dtable.len() % width),
        (ids.len() * width, 0),
        "rows of a table"
    );
    let num_rows = dtable.len() / width;
    assert!(
        ids.iter().all(|id| (0..num_rows as i64).contains(id)),
        "ids of the table"
    );
    // Every thread reads all ids, and adds the rows of its own part of the table.
    let part = num_rows.div_ceil(4 * pool.num_threads()).max(1);
    pool.for_each(dtable.chunks_mut(part * width).enumerate(), |(piece, dtable)| {
        for (id, drow) in ids.iter().zip(drows.chunks_exact(width)) {
            let row = (*id as usize).wrapping_sub(piece * part);
            if let Some(sum) = dtable
                .get_mut(row.saturating_mul(width)..)
                .and_then(|rest| rest.get_mut(..width))
            {
                sum.iter_mut().zip(drow).for_each(|(sum, value)| *sum += value);
            }
        }
    });
}
