//! Which of 64 bytes are letters, numbers, white space: one bit a byte, by the widest instructions at hand.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// One bit a byte, the first byte lowest. Bytes of characters beyond ASCII have only their own bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    pub letter: u64,
    /// Letters in upper case.
    pub upper: u64,
    pub number: u64,
    /// White space, line breaks and blanks included.
    pub space: u64,
    /// U+0020.
    pub blank: u64,
    /// Carriage return and line feed.
    pub line_break: u64,
    pub apostrophe: u64,
    pub slash: u64,
    pub non_ascii: u64,
}

/// A way to look at 64 bytes at once. Having one shows that the processor can take it.
pub(super) trait Classify: Copy {
    fn masks(self, block: &[u8; 64]) -> Masks;

    /// The four high bits of every byte, the highest first.
    fn high_bits(self, block: &[u8; 64]) -> [u64; 4];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the classes of single bytes.
    #[test]
    fn every_byte_at_every_place_by_every_way() {
        for shift in (0..256usize).step_by(if cfg!(miri) { 32 } else { 1 }) {
            let block: [u8; 64] = std::array::from_fn(|i| (i * 37 + shift) as u8);
            let bits = |is: &dyn Fn(u8) -> bool| (0..64).map(|i| u64::from(is(block[i])) << i).sum::<u64>();
            let expected = Masks {
                letter: bits(&|b| b.is_ascii_alphabetic()),
                upper: bits(&|b| b.is_ascii_uppercase()),
                number: bits(&|b| b.is_ascii_digit()),
                space: bits(&|b| matches!(b, 9..=13 | b' ')),
                blank: bits(&|b| b == b' '),
                line_break: bits(&|b| matches!(b, b'\r' | b'\n')),
                apostrophe: bits(&|b| b == b'\''),
                slash: bits(&|b| b == b'/'),
                non_ascii: bits(&|b| b >= 128),
            };
            let high_bits = [7, 6, 5, 4].map(|bit| bits(&|b| b >> bit & 1 == 1));
            assert_eq!(Portable.masks(&block), expected);
            assert_eq!(Portable.high_bits(&block), high_bits);
            #[cfg(target_arch = "aarch64")]
            {
                assert_eq!(Neon.masks(&block), expected);
                assert_eq!(Neon.high_bits(&block), high_bits);
            }
            #[cfg(target_arch = "x86_64")]
            {
                if let Some(avx2) = Avx2::new() {
                    assert_eq!(avx2.masks(&block), expected);
                    assert_eq!(avx2.high_bits(&block), high_bits);
                }
                if let Some(avx512) = Avx512::new() {
                    assert_eq!(avx512.masks(&block), expected);
                    assert_eq!(avx512.high_bits(&block), high_bits);
                }
            }
        }
    }
}
