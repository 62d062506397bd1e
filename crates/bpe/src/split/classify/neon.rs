//! By the vectors of 64-bit ARM processors, all of which have them.

#![allow(unsafe_code, reason = "intrinsics")]

use std::arch::aarch64::*;

use super::{Classify, Masks};

/// 16 bytes at a time.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon;

type Quarters = [uint8x16_t; 4];

#[inline(always)]
fn load(block: &[u8; 64]) -> Quarters {
    // SAFETY: each quarter is 16 bytes long, the loads need no alignment, and every such processor has them.
    [0, 16, 32, 48].map(|at| unsafe { vld1q_u8(block[at..at + 16].as_ptr()) })
}

/// One bit for each byte, of which all bits are ones or all zeros.
#[inline(always)]
fn bits(quarters: Quarters) -> u64 {
    const PLACES: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: the array is 16 bytes long; the other instructions touch no memory, and every such processor has them.
    unsafe {
        let places = vld1q_u8(PLACES.as_ptr());
        let [a, b, c, d] = quarters.map(|quarter| vandq_u8(quarter, places));
        // Neighbours are added up three times: eight bytes to one.
        let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
    }
}

#[inline(always)]
fn is(quarters: Quarters, byte: u8) -> u64 {
    // SAFETY: no memory is touched, and every such processor has the instructions.
    bits(quarters.map(|quarter| unsafe { vceqq_u8(quarter, vdupq_n_u8(byte)) }))
}

/// Bytes from `first` on, `num` of them: those whose distance from it, without sign, is below `num`.
#[inline(always)]
fn among(quarters: Quarters, first: u8, num: u8) -> u64 {
    // SAFETY: no memory is touched, and every such processor has the instructions.
    bits(quarters.map(|quarter| unsafe { vcltq_u8(vsubq_u8(quarter, vdupq_n_u8(first)), vdupq_n_u8(num)) }))
}

/// Bytes that have the bit `bit`.
#[inline(always)]
fn with(quarters: Quarters, bit: u8) -> u64 {
    // SAFETY: no memory is touched, and every such processor has the instructions.
    bits(quarters.map(|quarter| unsafe { vtstq_u8(quarter, vdupq_n_u8(bit)) }))
}

impl Classify for Neon {
    #[inline(always)]
    fn masks(self, block: &[u8; 64]) -> Masks {
        let quarters = load(block);
        // SAFETY: no memory is touched, and every such processor has the instructions.
        let lowered = quarters.map(|quarter| unsafe { vorrq_u8(quarter, vdupq_n_u8(0x20)) });
        let blank = is(quarters, b' ');
        Masks {
            letter: among(lowered, b'a', 26),
            upper: among(quarters, b'A', 26),
            number: among(quarters, b'0', 10),
            space: blank | among(quarters, 9, 5),
            blank,
            line_break: is(quarters, b'\n') | is(quarters, b'\r'),
            apostrophe: is(quarters, b'\''),
            slash: is(quarters, b'/'),
            non_ascii: with(quarters, 0x80),
        }
    }

    #[inline(always)]
    fn high_bits(self, block: &[u8; 64]) -> [u64; 4] {
        let quarters = load(block);
        [0x80, 0x40, 0x20, 0x10].map(|bit| with(quarters, bit))
    }
}
