//! What the functions that are compiled for wider instructions ask of the processor.
//!
//! Each such function lists its instructions in `#[target_feature]`, and is called only where one of these is true, which
//! asks for all of them: `tests/architecture/test_unsafe.py` compares the lists.

/// AVX2 and fused multiply-adds.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// The first of the AVX-512 instructions, and what [`has_avx2`] names.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && has_avx2()
}

/// What multiplies pairs of bfloat16 numbers and puts them together, and what [`has_avx512`] names.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512_bf16() -> bool {
    is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw") && has_avx512()
}
