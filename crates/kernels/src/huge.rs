//! Memory in huge pages, where the system has them: rows that lie apart are found with fewer looks into its tables.

#![allow(unsafe_code, reason = "advises the system about memory")]

/// The bytes of a huge page; less memory stays in ordinary ones.
#[cfg(all(target_os = "linux", not(miri)))]
const HUGE_PAGE: usize = 1 << 21;

/// Returns zeros that nothing has touched yet.
#[must_use]
pub fn zeros(len: usize) -> Vec<f32> {
    let mut numbers = vec![0.0f32; len];
    advise(&mut numbers);
    numbers
}

/// Makes room for `len` numbers; what they are is lost if there was too little.
pub(crate) fn at_least(numbers: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if numbers.len() < len {
        // Freed first: both would be there at a time.
        *numbers = Vec::new();
        *numbers = zeros(len);
    }
    &mut numbers[..len]
}

#[cfg(all(target_os = "linux", not(miri)))]
fn advise(numbers: &mut [f32]) {
    let (begin, len) = (numbers.as_mut_ptr() as usize, std::mem::size_of_val(numbers));
    let (first, end) = (begin.next_multiple_of(HUGE_PAGE), (begin + len) / HUGE_PAGE * HUGE_PAGE);
    if first < end {
        // SAFETY: whole pages of the slice; the advice changes no number. It is without effect where it fails.
        unsafe {
            libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(any(not(target_os = "linux"), miri))]
fn advise(_: &mut [f32]) {}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: zeros, of ordinary and of huge pages.
    #[test]
    fn memory_is_zero_and_grows() {
        let large = if cfg!(miri) { 2000 } else { 3 << 20 };
        for len in [0, 1, 1000, large] {
            assert!(zeros(len).iter().all(|value| *value == 0.0) && zeros(len).len() == len);
        }
        let mut numbers = vec![1.0; 10];
        assert_eq!(at_least(&mut numbers, 5), [1.0; 5]);
        assert_eq!(at_least(&mut numbers, 20).len(), 20);
    }
}
