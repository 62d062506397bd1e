//! Large allocations that fail with an error: where Rust's own collections find too little memory, they abort the process.

use std::collections::TryReserveError;

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
pub(crate) fn reserve_exact<T>(vec: &mut Vec<T>, additional: usize) -> Result<(), BpeError> {
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

#[cold]
fn grow<T>(
    vec: &mut Vec<T>,
    additional: usize,
    reserve: impl Fn(&mut Vec<T>, usize) -> Result<(), TryReserveError>,
) -> Result<(), BpeError> {
    let mut reserved = reserve(vec, additional);
    if reserved.is_ok() && vec.capacity() * size_of::<T>() >= LARGE_BYTES {
        reserved = Vec::<u8>::new().try_reserve_exact(HEADROOM_BYTES);
    }
    reserved.map_err(|_| BpeError::OutOfMemory {
        num_bytes: vec.len().saturating_add(additional).saturating_mul(size_of::<T>()),
    })
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
