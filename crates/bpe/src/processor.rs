//! What the functions that are compiled for wider instructions ask of the processor.
//!
//! Each such function lists its instructions in `#[target_feature]`, and is called only where one of these is true, which
//! asks for all of them: `tests/architecture/test_unsafe.py` compares the lists.

/// AVX2 and the instructions on single bits that came to x86-64 with it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// The AVX-512 that servers have, and what [`has_avx2`] names.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_avx2()
}
