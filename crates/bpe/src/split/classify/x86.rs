//! By the vectors of x86-64 processors.
//!
//! The functions here are compiled into their callers, which are compiled for these instructions, and not for themselves:
//! a function of its own, compiled for them, is sometimes called instead, which costs three quarters of the speed. So the
//! compiler cannot see that the instructions are there; that [`Avx2`] and [`Avx512`] exist only where they are, says it.

#![allow(unsafe_code, reason = "intrinsics")]

use std::arch::asm;
use std::arch::x86_64::*;

use super::{Classify, Masks};
use crate::processor;

/// 32 bytes at a time. One exists only where the processor has [`processor::has_avx2`].
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2(());

type Halves = (__m256i, __m256i);

impl Avx2 {
    /// None where the processor lacks something.
    #[inline(always)]
    pub(in super::super) fn new() -> Option<Self> {
        processor::has_avx2().then_some(Self(()))
    }

    #[inline(always)]
    fn load(self, block: &[u8; 64]) -> Halves {
        let (low, high) = block.split_at(32);
        // SAFETY: each half is 32 bytes long, the loads need no alignment, and AVX2 is there because `self` is.
        unsafe {
            (
                _mm256_loadu_si256(low.as_ptr().cast()),
                _mm256_loadu_si256(high.as_ptr().cast()),
            )
        }
    }

    /// The highest bit of every byte.
    #[inline(always)]
    fn bits(self, (low, high): Halves) -> u64 {
        // SAFETY: no memory is touched, and AVX2 is there because `self` is.
        let bits = |half| u64::from(unsafe { _mm256_movemask_epi8(half) } as u32);
        opaque(bits(high) << 32 | bits(low))
    }

    #[inline(always)]
    fn is(self, (low, high): Halves, byte: u8) -> u64 {
        // SAFETY: no memory is touched, and AVX2 is there because `self` is.
        self.bits(unsafe {
            let byte = _mm256_set1_epi8(byte as i8);
            (_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte))
        })
    }

    /// Bytes from `first` on, `num` of them: those whose distance from it, without sign, is below `num`.
    #[inline(always)]
    fn among(self, (low, high): Halves, first: u8, num: u8) -> u64 {
        // SAFETY: no memory is touched, and AVX2 is there because `self` is.
        self.bits(unsafe {
            let (first, last) = (_mm256_set1_epi8(first as i8), _mm256_set1_epi8(num as i8 - 1));
            let (low, high) = (_mm256_sub_epi8(low, first), _mm256_sub_epi8(high, first));
            (
                _mm256_cmpeq_epi8(low, _mm256_min_epu8(low, last)),
                _mm256_cmpeq_epi8(high, _mm256_min_epu8(high, last)),
            )
        })
    }

    /// Every byte with the bit that tells lower case from upper.
    #[inline(always)]
    fn lowered(self, (low, high): Halves) -> Halves {
        // SAFETY: no memory is touched, and AVX2 is there because `self` is.
        unsafe {
            let case = _mm256_set1_epi8(0x20);
            (_mm256_or_si256(low, case), _mm256_or_si256(high, case))
        }
    }

    /// The bit that stands `DOWN` places below the highest of every byte.
    #[inline(always)]
    fn bits_below<const DOWN: i32>(self, (low, high): Halves) -> u64 {
        // Shifts go over the borders of bytes; the bit that arrives at the top comes from the same byte.
        // SAFETY: no memory is touched, and AVX2 is there because `self` is.
        self.bits(unsafe { (_mm256_slli_epi16::<DOWN>(low), _mm256_slli_epi16::<DOWN>(high)) })
    }
}

/// `bits`, of which the compiler forgets that it came from a vector: it would make a vector of it again, bit by bit, to
/// combine it with others.
#[inline(always)]
fn opaque(mut bits: u64) -> u64 {
    if cfg!(not(miri)) {
        // SAFETY: it holds no instruction, only a comment.
        unsafe { asm!("/* {0} */", inout(reg) bits, options(pure, nomem, nostack, preserves_flags)) };
    }
    bits
}

/// 64 bytes at a time. One exists only where the processor has [`processor::has_avx512`].
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(());

impl Avx512 {
    /// None where the processor lacks something.
    #[inline(always)]
    pub(in super::super) fn new() -> Option<Self> {
        processor::has_avx512().then_some(Self(()))
    }

    #[inline(always)]
    fn load(self, block: &[u8; 64]) -> __m512i {
        // SAFETY: the block is 64 bytes long, the load needs no alignment, and AVX-512 is there because `self` is.
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    #[inline(always)]
    fn is(self, bytes: __m512i, byte: u8) -> u64 {
        // SAFETY: no memory is touched, and AVX-512BW is there because `self` is.
        unsafe { _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8)) }
    }

    /// Bytes from `first` on, `num` of them: those whose distance from it, without sign, is below `num`.
    #[inline(always)]
    fn among(self, bytes: __m512i, first: u8, num: u8) -> u64 {
        // SAFETY: no memory is touched, and AVX-512BW is there because `self` is.
        unsafe {
            let distance = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
            _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(num as i8))
        }
    }

    /// Every byte with the bit that tells lower case from upper.
    #[inline(always)]
    fn lowered(self, bytes: __m512i) -> __m512i {
        // SAFETY: no memory is touched, and AVX-512 is there because `self` is.
        unsafe { _mm512_or_si512(bytes, _mm512_set1_epi8(0x20)) }
    }

    /// The bit that stands `DOWN` places below the highest of every byte.
    #[inline(always)]
    fn bits_below<const DOWN: u32>(self, bytes: __m512i) -> u64 {
        // SAFETY: no memory is touched, and AVX-512BW is there because `self` is.
        unsafe { _mm512_test_epi8_mask(bytes, _mm512_set1_epi8((0x80_u8 >> DOWN) as i8)) }
    }
}

/// Classifies by the operations that both have under the same names: a macro and not a trait, so that each is compiled into
/// the function that is compiled for it.
macro_rules! classify_by {
    ($vectors:ty) => {
        impl Classify for $vectors {
            #[inline(always)]
            fn masks(self, block: &[u8; 64]) -> Masks {
                let bytes = self.load(block);
                let blank = self.is(bytes, b' ');
                Masks {
                    letter: self.among(self.lowered(bytes), b'a', 26),
                    upper: self.among(bytes, b'A', 26),
                    number: self.among(bytes, b'0', 10),
                    space: blank | self.among(bytes, 9, 5),
                    blank,
                    line_break: self.is(bytes, b'\n') | self.is(bytes, b'\r'),
                    apostrophe: self.is(bytes, b'\''),
                    slash: self.is(bytes, b'/'),
                    non_ascii: self.bits_below::<0>(bytes),
                }
            }

            #[inline(always)]
            fn high_bits(self, block: &[u8; 64]) -> [u64; 4] {
                let bytes = self.load(block);
                [
                    self.bits_below::<0>(bytes),
                    self.bits_below::<1>(bytes),
                    self.bits_below::<2>(bytes),
                    self.bits_below::<3>(bytes),
                ]
            }
        }
    };
}

classify_by!(Avx2);
classify_by!(Avx512);
