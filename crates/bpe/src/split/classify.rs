//! Which of 64 bytes are letters, numbers, white space: one bit a byte, by the widest instructions at hand.

/// One bit a byte, the first byte lowest. Bytes of characters beyond ASCII have only their own bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    pub letter: u64,
    pub number: u64,
    /// White space, line breaks and blanks included.
    pub space: u64,
    /// U+0020.
    pub blank: u64,
    /// Carriage return and line feed.
    pub line_break: u64,
    pub apostrophe: u64,
    pub beyond_ascii: u64,
}

/// A way to make [`Masks`].
pub(super) trait Classify {
    fn masks(block: &[u8; 64]) -> Masks;
}

/// Eight bytes at a time in ordinary registers.
pub(super) struct Portable;

impl Classify for Portable {
    #[inline]
    fn masks(block: &[u8; 64]) -> Masks {
        let mut masks = Masks::default();
        for (i, bytes) in block.chunks_exact(8).enumerate() {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let word = u64::from_le_bytes(word);
            let put = |mask: &mut u64, highs: u64| *mask |= gather(highs) << (8 * i);
            let ascii = !word & HIGHS;
            put(&mut masks.beyond_ascii, word);
            let low = word & !HIGHS;
            put(
                &mut masks.letter,
                between(low | 0x2020_2020_2020_2020, b'a', b'z') & ascii,
            );
            put(&mut masks.number, between(low, b'0', b'9') & ascii);
            let blank = between(low, b' ', b' ') & ascii;
            put(&mut masks.blank, blank);
            put(&mut masks.space, blank | between(low, 9, 13) & ascii);
            let line_break = between(low, b'\n', b'\n') | between(low, b'\r', b'\r');
            put(&mut masks.line_break, line_break & ascii);
            put(&mut masks.apostrophe, between(low, b'\'', b'\'') & ascii);
        }
        masks
    }
}

/// The highest bit of each byte.
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The highest bit of each byte of `word` that lies between `first` and `last`; all bytes must be below 128.
#[inline(always)]
fn between(word: u64, first: u8, last: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let reaches_first = word + ONES * u64::from(128 - first);
    let exceeds_last = word + ONES * u64::from(127 - last);
    reaches_first & !exceeds_last & HIGHS
}

/// The highest bits of the eight bytes side by side.
#[inline(always)]
fn gather(highs: u64) -> u64 {
    ((highs & HIGHS) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Classify, Masks};

    /// 32 bytes at a time. Only to be used where the processor has AVX2.
    pub(in super::super) struct Avx2;

    impl Classify for Avx2 {
        #[inline(always)]
        fn masks(block: &[u8; 64]) -> Masks {
            // SAFETY: whoever names this type has checked for AVX2 (see `blocks::for_each_batch`).
            unsafe { avx2_masks(block) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn avx2_masks(block: &[u8; 64]) -> Masks {
        let (low, high) = block.split_at(32);
        // SAFETY: each half is 32 bytes long, and the loads need no alignment.
        let halves = unsafe {
            [
                _mm256_loadu_si256(low.as_ptr().cast()),
                _mm256_loadu_si256(high.as_ptr().cast()),
            ]
        };
        let bits = |of: &dyn Fn(__m256i) -> __m256i| {
            let [low, high] = halves.map(|half| u64::from(_mm256_movemask_epi8(of(half)) as u32));
            high << 32 | low
        };
        let is = |byte: u8| move |half| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8));
        // Bytes from `first` on, `num` of them: those whose distance from it, without sign, is below `num`.
        let among = |first: u8, num: u8| {
            move |half| {
                let distance = _mm256_sub_epi8(half, _mm256_set1_epi8(first as i8));
                let least = _mm256_min_epu8(distance, _mm256_set1_epi8(num as i8 - 1));
                _mm256_cmpeq_epi8(distance, least)
            }
        };
        let blank = bits(&is(b' '));
        Masks {
            letter: bits(&|half| among(b'a', 26)(_mm256_or_si256(half, _mm256_set1_epi8(0x20)))),
            number: bits(&among(b'0', 10)),
            space: blank | bits(&among(9, 5)),
            blank,
            line_break: bits(&is(b'\n')) | bits(&is(b'\r')),
            apostrophe: bits(&is(b'\'')),
            beyond_ascii: bits(&|half| half),
        }
    }

    /// 64 bytes at a time. Only to be used where the processor has AVX-512BW.
    pub(in super::super) struct Avx512;

    impl Classify for Avx512 {
        #[inline(always)]
        fn masks(block: &[u8; 64]) -> Masks {
            // SAFETY: whoever names this type has checked for AVX-512BW (see `blocks::for_each_batch`).
            unsafe { avx512_masks(block) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn avx512_masks(block: &[u8; 64]) -> Masks {
        // SAFETY: the block is 64 bytes long, and the load needs no alignment.
        let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let among = |bytes, first: u8, num: u8| {
            let distance = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
            _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(num as i8))
        };
        let blank = is(b' ');
        Masks {
            letter: among(_mm512_or_si512(bytes, _mm512_set1_epi8(0x20)), b'a', 26),
            number: among(bytes, b'0', 10),
            space: blank | among(bytes, 9, 5),
            blank,
            line_break: is(b'\n') | is(b'\r'),
            apostrophe: is(b'\''),
            beyond_ascii: _mm512_movepi8_mask(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the classes of single bytes.
    #[test]
    fn every_byte_at_every_place_by_every_way() {
        for shift in 0..256usize {
            let block: [u8; 64] = std::array::from_fn(|i| (i * 37 + shift) as u8);
            let bits = |is: &dyn Fn(u8) -> bool| (0..64).map(|i| u64::from(is(block[i])) << i).sum::<u64>();
            let expected = Masks {
                letter: bits(&|b| b.is_ascii_alphabetic()),
                number: bits(&|b| b.is_ascii_digit()),
                space: bits(&|b| matches!(b, 9..=13 | b' ')),
                blank: bits(&|b| b == b' '),
                line_break: bits(&|b| matches!(b, b'\r' | b'\n')),
                apostrophe: bits(&|b| b == b'\''),
                beyond_ascii: bits(&|b| b >= 128),
            };
            assert_eq!(Portable::masks(&block), expected);
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2") {
                    assert_eq!(Avx2::masks(&block), expected);
                }
                if is_x86_feature_detected!("avx512bw") {
                    assert_eq!(Avx512::masks(&block), expected);
                }
            }
        }
    }
}
