//! Tokenizers made from a seed of one byte, each built once: small vocabularies of every kind that there is.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use homespun_bpe::{Encoder, SpecialTokens, Splitter};

use super::definition::{Definition, NumberedMerge};
use super::split::PATTERNS;

pub const SPECIALS: [&str; 6] = ["<|end|>", "<|end|><|end|>", "|>x", "<", " '", "a"];

/// Bytes that merges begin with: those of [`super::input`]'s fragments, and of some characters beyond ASCII.
const FAVOURITES: &[u8] = b" aetlrsvd'<|>nd\n12.A\xC3\xA9\xE3\x80\x80\xE4\xB8\xAD\xF0\x9F\x98\xC5\xBF";

const MAX_TOKEN_BYTES: usize = 40;

/// The smallest cache there is; caches change nothing, least of all those that forget much.
const CACHE_BYTES: usize = 0;

pub struct Tokenizer {
    pub encoder: Arc<Encoder>,
    pub definition: Definition,
    pub tokens: BTreeMap<u32, Vec<u8>>,
    /// Their ids, ascending.
    pub ids: Vec<u32>,
    /// Whether every text has ids, from which it comes back.
    pub is_complete: bool,
}

/// The tokenizer of a seed.
pub fn tokenizer(seed: u8) -> &'static Tokenizer {
    static TOKENIZERS: [OnceLock<Tokenizer>; 256] = [const { OnceLock::new() }; 256];
    TOKENIZERS[usize::from(seed)].get_or_init(|| build(seed))
}

/// Numbers from a seed (splitmix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

fn build(seed: u8) -> Tokenizer {
    let mut draws = Draws(u64::from(seed));
    let pattern = PATTERNS[draws.below(PATTERNS.len())];
    let [has_sparse_ids, lacks_bytes, is_disorderly] = [2, 3, 3].map(|odds| draws.below(odds) == 0);
    let num_specials = draws.below(SPECIALS.len() + 1);

    let spelt_merges = draw_merges(&mut draws, is_disorderly);
    let mut tokens_bytes: Vec<Vec<u8>> = (0..=u8::MAX)
        .filter(|byte| !lacks_bytes || FAVOURITES.contains(byte) || draws.below(2) == 0)
        .map(|byte| vec![byte])
        .collect();
    for (left, right) in &spelt_merges {
        let joined = [left.as_slice(), right].concat();
        if !tokens_bytes.contains(&joined) {
            tokens_bytes.push(joined);
        }
    }
    // An odd factor numbers them all over the place, none twice.
    let factor: u32 = if has_sparse_ids { 0x9E37_79B1 } else { 1 };
    let ids: BTreeMap<Vec<u8>, u32> = tokens_bytes
        .into_iter()
        .zip((0..).map(|i: u32| i.wrapping_mul(factor)))
        .collect();
    let specials = &SPECIALS[..num_specials];
    let special_ids: Vec<u32> = (1 << 20..)
        .take(num_specials)
        .map(|i: u32| i.wrapping_mul(factor))
        .collect();

    let named: Vec<(String, u32)> = specials
        .iter()
        .map(|token| (*token).to_owned())
        .zip(special_ids.iter().copied())
        .collect();
    let tokens: Vec<(u32, Vec<u8>)> = ids.iter().map(|(bytes, &id)| (id, bytes.clone())).collect();
    let encoder = Encoder::new(tokens.iter().cloned(), &spelt_merges, &named, pattern, CACHE_BYTES);
    let special_tokens = named.iter().map(|(token, id)| (*id, token.clone().into_bytes()));
    let tokens: BTreeMap<u32, Vec<u8>> = tokens.into_iter().chain(special_tokens).collect();
    Tokenizer {
        encoder: Arc::new(encoder.unwrap()),
        definition: Definition {
            byte_ids: std::array::from_fn(|byte| ids.get(&[byte as u8][..]).copied()),
            merges: spelt_merges
                .iter()
                .map(|(left, right)| NumberedMerge {
                    left: ids[left],
                    right: ids[right],
                    merged: ids[&[left.as_slice(), right].concat()],
                })
                .collect(),
            splitter: Splitter::new(pattern).unwrap(),
            specials: SpecialTokens::new(specials.iter().copied()).unwrap(),
            special_ids,
        },
        ids: tokens.keys().copied().collect(),
        tokens,
        is_complete: !lacks_bytes,
    }
}

/// Merges in order of creation, or, as no trainer writes them, shuffled and with some listed twice.
fn draw_merges(draws: &mut Draws, is_disorderly: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut known: Vec<Vec<u8>> = FAVOURITES.iter().map(|&byte| vec![byte]).collect();
    let mut merges: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for _ in 0..8 + draws.below(48) {
        let [left, right] = [(); 2].map(|()| known[draws.below(known.len())].clone());
        let joined = [left.as_slice(), &right].concat();
        if joined.len() > MAX_TOKEN_BYTES || (!is_disorderly && known.contains(&joined)) {
            continue;
        }
        known.push(joined);
        merges.push((left, right));
    }
    if is_disorderly {
        let again = merges[..merges.len() / 4].to_vec();
        merges.extend(again);
        for last in (1..merges.len()).rev() {
            merges.swap(last, draws.below(last + 1));
        }
    }
    merges
}
