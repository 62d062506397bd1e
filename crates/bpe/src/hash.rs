//! A fast hash of byte strings, for tables that compare the bytes as well.

/// Digits of the golden ratio and of pi: numbers with nothing up their sleeves.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const OTHER_SEED: u64 = 0x243F_6A88_85A3_08D3;

/// Hashes eight bytes, into the highest bits; of the product's low half only, which vectors of numbers have too.
#[inline(always)]
pub(crate) fn hash_half_word(word: u64) -> u64 {
    (word ^ word >> 32).wrapping_mul(SEED)
}

/// Hashes sixteen bytes: both halves of a product, folded into one, so that every bit reaches the low ones.
#[inline]
pub(crate) fn hash_word(word: u128) -> u64 {
    fold(word as u64 ^ SEED, (word >> 64) as u64 ^ OTHER_SEED)
}

/// Hashes `bytes`, sixteen a step.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    // Spread over all bits: as a small number it could cancel out the first byte.
    let mut hash = (bytes.len() as u64).wrapping_mul(OTHER_SEED);
    for chunk in bytes.chunks(16) {
        let mut word = [0; 16];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = hash_word(u128::from_le_bytes(word) ^ u128::from(hash));
    }
    fold(hash ^ SEED, OTHER_SEED)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: distinct inputs, of which 10,000 should not collide in 64 bits.
    #[test]
    fn lengths_and_bytes_matter() {
        let mut hashes: Vec<u64> = (0..100)
            .flat_map(|len| (0..100).map(move |byte| hash_bytes(&vec![byte; len])))
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 99 * 100 + 1);
    }
}
