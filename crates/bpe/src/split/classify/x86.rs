//! By the vectors of x86-64 processors.
//!
//! The functions here are compiled into their callers, which are compiled for these instructions, and not for themselves:
//! a function of its own, compiled for them, is sometimes called instead, which costs three quarters of the speed. So each
//! is unsafe, in that it must only be called where the processor has the instructions in its name.

use std::arch::asm;
use std::arch::x86_64::*;

use super::{Classify, Masks};

/// 32 bytes at a time. Only to be used where the processor has AVX2.
pub(in super::super) struct Avx2;

impl Classify for Avx2 {
    #[inline(always)]
    fn masks(block: &[u8; 64]) -> Masks {
        // SAFETY: whoever names this type has checked for AVX2 (see `way::for_each_batch`).
        unsafe { avx2_masks(block) }
    }

    #[inline(always)]
    fn high_bits(block: &[u8; 64]) -> [u64; 4] {
        // SAFETY: as above.
        unsafe { avx2_high_bits(block) }
    }
}

/// The block's halves.
#[inline(always)]
unsafe fn avx2_load(block: &[u8; 64]) -> (__m256i, __m256i) {
    let (low, high) = block.split_at(32);
    // Each half is 32 bytes long, and the loads need no alignment.
    (
        _mm256_loadu_si256(low.as_ptr().cast()),
        _mm256_loadu_si256(high.as_ptr().cast()),
    )
}

/// The highest bit of every byte.
#[inline(always)]
unsafe fn avx2_bits(low: __m256i, high: __m256i) -> u64 {
    let bits = |half| u64::from(_mm256_movemask_epi8(half) as u32);
    opaque(bits(high) << 32 | bits(low))
}

/// `bits`, of which the compiler forgets that it came from a vector: it would make a vector of it again, bit by bit, to
/// combine it with others.
#[inline(always)]
fn opaque(mut bits: u64) -> u64 {
    // SAFETY: it holds no instruction, only a comment.
    unsafe { asm!("/* {0} */", inout(reg) bits, options(pure, nomem, nostack, preserves_flags)) };
    bits
}

#[inline(always)]
unsafe fn avx2_is((low, high): (__m256i, __m256i), byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    avx2_bits(_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte))
}

/// Bytes from `first` on, `num` of them: those whose distance from it, without sign, is below `num`.
#[inline(always)]
unsafe fn avx2_among((low, high): (__m256i, __m256i), first: u8, num: u8) -> u64 {
    let (first, last) = (_mm256_set1_epi8(first as i8), _mm256_set1_epi8(num as i8 - 1));
    let (low, high) = (_mm256_sub_epi8(low, first), _mm256_sub_epi8(high, first));
    avx2_bits(
        _mm256_cmpeq_epi8(low, _mm256_min_epu8(low, last)),
        _mm256_cmpeq_epi8(high, _mm256_min_epu8(high, last)),
    )
}

#[inline(always)]
unsafe fn avx2_masks(block: &[u8; 64]) -> Masks {
    let halves = avx2_load(block);
    let case = _mm256_set1_epi8(0x20);
    let lowered = (_mm256_or_si256(halves.0, case), _mm256_or_si256(halves.1, case));
    let blank = avx2_is(halves, b' ');
    Masks {
        letter: avx2_among(lowered, b'a', 26),
        upper: avx2_among(halves, b'A', 26),
        number: avx2_among(halves, b'0', 10),
        space: blank | avx2_among(halves, 9, 5),
        blank,
        line_break: avx2_is(halves, b'\n') | avx2_is(halves, b'\r'),
        apostrophe: avx2_is(halves, b'\''),
        slash: avx2_is(halves, b'/'),
        beyond_ascii: avx2_bits(halves.0, halves.1),
    }
}

#[inline(always)]
unsafe fn avx2_high_bits(block: &[u8; 64]) -> [u64; 4] {
    let (low, high) = avx2_load(block);
    // Shifts go over the borders of bytes; the bit that arrives at the top comes from the same byte.
    [
        avx2_bits(low, high),
        avx2_bits(_mm256_slli_epi16::<1>(low), _mm256_slli_epi16::<1>(high)),
        avx2_bits(_mm256_slli_epi16::<2>(low), _mm256_slli_epi16::<2>(high)),
        avx2_bits(_mm256_slli_epi16::<3>(low), _mm256_slli_epi16::<3>(high)),
    ]
}

/// 64 bytes at a time. Only to be used where the processor has AVX-512BW.
pub(in super::super) struct Avx512;

impl Classify for Avx512 {
    #[inline(always)]
    fn masks(block: &[u8; 64]) -> Masks {
        // SAFETY: whoever names this type has checked for AVX-512BW (see `way::for_each_batch`).
        unsafe { avx512_masks(block) }
    }

    #[inline(always)]
    fn high_bits(block: &[u8; 64]) -> [u64; 4] {
        // SAFETY: as above.
        unsafe { avx512_high_bits(block) }
    }
}

#[inline(always)]
unsafe fn avx512_load(block: &[u8; 64]) -> __m512i {
    // The block is 64 bytes long, and the load needs no alignment.
    _mm512_loadu_si512(block.as_ptr().cast())
}

#[inline(always)]
unsafe fn avx512_masks(block: &[u8; 64]) -> Masks {
    let bytes = avx512_load(block);
    let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
    let among = |bytes, first: u8, num: u8| {
        let distance = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
        _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(num as i8))
    };
    let blank = is(b' ');
    Masks {
        letter: among(_mm512_or_si512(bytes, _mm512_set1_epi8(0x20)), b'a', 26),
        upper: among(bytes, b'A', 26),
        number: among(bytes, b'0', 10),
        space: blank | among(bytes, 9, 5),
        blank,
        line_break: is(b'\n') | is(b'\r'),
        apostrophe: is(b'\''),
        slash: is(b'/'),
        beyond_ascii: _mm512_movepi8_mask(bytes),
    }
}

#[inline(always)]
unsafe fn avx512_high_bits(block: &[u8; 64]) -> [u64; 4] {
    let bytes = avx512_load(block);
    let with = |bit: u8| _mm512_test_epi8_mask(bytes, _mm512_set1_epi8(bit as i8));
    [with(0x80), with(0x40), with(0x20), with(0x10)]
}
