//! Vocabularies, merges and special tokens as any file might list them: refused for a reason, or encoding by definition.

use std::collections::BTreeMap;

use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{Encoder, SpecialPolicy, SpecialTokens, Splitter};

use super::definition::{Definition, NumberedMerge, Refusal};
use super::input::Input;

/// The last one leaves characters out and looks ahead. Its engine is slow, so it is here and not under `encode`.
const PATTERNS: [&str; 3] = [GPT2_PATTERN, GPT4_PATTERN, r"\w{1,8}(?=\s)|\w|\s+|[^\w\s\-]+"];

type Bytes = Vec<u8>;

/// What an encoder is made from.
struct Parts {
    tokens: Vec<(u32, Bytes)>,
    merges: Vec<(Bytes, Bytes)>,
    specials: Vec<(String, u32)>,
    pattern: &'static str,
}

/// The first byte chooses the pattern, the next three how many tokens, merges and special tokens follow; what is left is
/// the text.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let parts = read_parts(&mut input);
    let text = input.text();
    let made = Encoder::new(
        parts.tokens.iter().cloned(),
        &parts.merges,
        &parts.specials,
        parts.pattern,
        0,
    );
    match (made, define(&parts)) {
        (Err(_), None) => {}
        (Ok(encoder), Some(definition)) => {
            for policy in [SpecialPolicy::Encode, SpecialPolicy::Text, SpecialPolicy::Reject] {
                let encoded = encoder.encode(&text, policy).map_err(Refusal::of);
                assert_eq!(encoded, definition.encode(&text, policy));
            }
        }
        (Ok(_), None) => panic!("accepted, though it contradicts itself"),
        (Err(error), Some(_)) => panic!("refused for no reason: {error}"),
    }
}

fn read_parts(input: &mut Input<'_>) -> Parts {
    let pattern = PATTERNS[usize::from(input.byte()) % PATTERNS.len()];
    let [num_tokens, num_merges, num_specials] = [64, 32, 4].map(|limit| input.byte() % limit);
    let mut tokens: Vec<(u32, Bytes)> = Vec::new();
    for _ in 0..num_tokens {
        // A run of single bytes, a token of some length, or one with an id from anywhere.
        let head = input.byte();
        let next_id = tokens.last().map_or(0, |(id, _)| id.wrapping_add(1));
        match head >> 6 {
            0 => tokens.extend((0..32).map(|i| (next_id.wrapping_add(i), vec![head + i as u8]))),
            1 => tokens.push((input.number(), input.bytes(usize::from(head & 7)).to_vec())),
            _ => tokens.push((next_id, input.bytes(usize::from(head & 7)).to_vec())),
        }
    }
    let any_bytes = |input: &mut Input<'_>| match input.byte() {
        byte @ 0..0xF8 if !tokens.is_empty() => tokens[usize::from(byte) % tokens.len()].1.clone(),
        byte => input.bytes(usize::from(byte & 3)).to_vec(),
    };
    let merges: Vec<(Bytes, Bytes)> = (0..num_merges).map(|_| (any_bytes(input), any_bytes(input))).collect();
    let specials = (0..num_specials)
        .map(|_| {
            let len = usize::from(input.byte() % 8);
            (Input::new(input.bytes(len)).text(), u32::from(input.byte()))
        })
        .collect();
    Parts {
        tokens,
        merges,
        specials,
        pattern,
    }
}

/// The tokenizer that the parts describe, or nothing where they contradict one another.
fn define(parts: &Parts) -> Option<Definition> {
    let mut ordinary: BTreeMap<u32, &[u8]> = BTreeMap::new();
    for (id, bytes) in &parts.tokens {
        if bytes.is_empty() || ordinary.insert(*id, bytes).is_some() {
            return None;
        }
    }
    let specials = SpecialTokens::new(parts.specials.iter().map(|(token, _)| token.as_str())).ok()?;
    let mut special: BTreeMap<u32, &[u8]> = BTreeMap::new();
    for (token, id) in &parts.specials {
        let is_other_token = ordinary.remove(id).is_some_and(|listed| listed != token.as_bytes());
        if is_other_token || special.insert(*id, token.as_bytes()).is_some() {
            return None;
        }
    }
    // The highest id has the bytes, and an ordinary token before any special one.
    let by_bytes: BTreeMap<&[u8], u32> = special
        .iter()
        .chain(&ordinary)
        .map(|(&id, &bytes)| (bytes, id))
        .collect();
    let mut merges = Vec::new();
    for (left, right) in &parts.merges {
        merges.push(NumberedMerge {
            left: *by_bytes.get(left.as_slice())?,
            right: *by_bytes.get(right.as_slice())?,
            merged: *by_bytes.get([left.as_slice(), right].concat().as_slice())?,
        });
    }
    Some(Definition {
        byte_ids: std::array::from_fn(|byte| by_bytes.get(&[byte as u8][..]).copied()),
        merges,
        splitter: Splitter::new(parts.pattern).unwrap(),
        specials,
        special_ids: parts.specials.iter().map(|&(_, id)| id).collect(),
    })
}
