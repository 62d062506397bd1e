//! Large allocations that fail with an error: where Rust's own collections find too little memory, they abort the process.

use std::collections::TryReserveError;
use std::hint::black_box;

use crate::error::BpeError;

/// Allocations from this size on must leave [`HEADROOM_BYTES`].
const LARGE_BYTES: usize = 1 << 20;

/// What is left after a large allocation for the small ones that follow, which abort where they fail.
const HEADROOM_BYTES: usize = 1 << 24;

/// Makes room for `additional` more items, by doubling.
#[inline]
pub(crate) fn reserve<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), BpeError> {
    if vec.capacity() - vec.len() >= additional {
        return Ok(());
    }
    grow(vec, additional, Vec::try_reserve)
}

/// Makes room for exactly `additional` more items.
#[inline]
pub(crate) fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), BpeError> {
    // Returns before it looks for headroom, which maps and unmaps memory: training calls this for every merge, and spent
    // half of its processor time on that.
    if vec.capacity() - vec.len() >= additional {
        return Ok(());
    }
    grow(vec, additional, Vec::try_reserve_exact)
}

/// Returns `len` copies of `value`.
pub(crate) fn filled<T: Clone>(value: T, len: usize) -> Result<Vec<T>, BpeError> {
    let mut vec = Vec::new();
    reserve_exact(&mut vec, len)?;
    vec.resize(len, value);
    Ok(vec)
}

/// Appends a copy of `items`.
#[inline]
pub(crate) fn extend<T: Copy>(vec: &mut Vec<T>, items: &[T]) -> Result<(), BpeError> {
    reserve(vec, items.len())?;
    vec.extend_from_slice(items);
    Ok(())
}

/// Refuses a large allocation that would fail now, of something that aborts the process where its own fails.
#[inline]
pub(crate) fn check_room(num_bytes: usize) -> Result<(), BpeError> {
    if num_bytes < LARGE_BYTES {
        return Ok(());
    }
    let mut probe = Vec::<u8>::new();
    reserve_exact(&mut probe, num_bytes)?;
    black_box(probe);
    Ok(())
}

/// Makes room for `additional` more bytes of text, by doubling.
pub(crate) fn reserve_text(text: &mut String, additional: usize) -> Result<(), BpeError> {
    if text.capacity() - text.len() >= additional {
        return Ok(());
    }
    let reserved = text.try_reserve(additional);
    with_headroom(reserved, text.capacity(), text.len().saturating_add(additional))
}

#[cold]
fn grow<T>(
    vec: &mut Vec<T>,
    additional: usize,
    reserve: impl Fn(&mut Vec<T>, usize) -> Result<(), TryReserveError>,
) -> Result<(), BpeError> {
    let reserved = reserve(vec, additional);
    let num_bytes = |len: usize| len.saturating_mul(size_of::<T>());
    let asked = num_bytes(vec.len().saturating_add(additional));
    with_headroom(reserved, num_bytes(vec.capacity()), asked)
}

/// Refuses what was reserved, `num_bytes` in all, where too little is left for others.
fn with_headroom(reserved: Result<(), TryReserveError>, num_bytes: usize, asked: usize) -> Result<(), BpeError> {
    let has_headroom = || {
        let mut probe = Vec::<u8>::new();
        let reserved = probe.try_reserve_exact(HEADROOM_BYTES);
        // The compiler may leave out memory that nobody uses, and with link-time optimization did.
        black_box(probe);
        reserved.is_ok()
    };
    if reserved.is_ok() && (num_bytes < LARGE_BYTES || has_headroom()) {
        return Ok(());
    }
    Err(BpeError::OutOfMemory { num_bytes: asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: more bytes than there are addresses, and than any machine has.
    #[test]
    fn too_much_is_an_error() {
        for len in [usize::MAX, 1 << 60] {
            let error = filled(0_u64, len).unwrap_err();
            assert!(matches!(error, BpeError::OutOfMemory { .. }), "{error}");
        }
        let mut vec = vec![1, 2];
        extend(&mut vec, &[3]).unwrap();
        assert_eq!((vec, filled(7, 2).unwrap()), (vec![1, 2, 3], vec![7, 7]));
    }
}
