//! Hints to the memory system.

#![allow(unsafe_code, reason = "an intrinsic")]

/// Asks for `slice[index]` to be brought near, if it exists; changes nothing else.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        const LINE_BYTES: usize = 64;
        let first = slice.as_ptr().wrapping_add(index).cast::<i8>();
        for line in 0..size_of::<T>().div_ceil(LINE_BYTES) {
            // SAFETY: a prefetch reads nothing and may be given any address, in the slice or not; all x86-64 processors
            // have it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * LINE_BYTES)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}

#[cfg(test)]
mod tests {
    /// Oracle: that the process lives on, also under the address sanitizer.
    #[test]
    fn any_index_will_do() {
        for index in [0, 1, 1 << 40, usize::MAX] {
            super::prefetch(&[1u8, 2], index);
            super::prefetch::<u64>(&[], index);
            super::prefetch(&[[0u64; 20]; 2], index);
        }
    }
}
