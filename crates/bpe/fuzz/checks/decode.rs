//! Decoding: a text comes back from its ids, and any other ids give their tokens' bytes or the first that is none.

use homespun_bpe::{BpeError, SpecialPolicy};

use super::input::Input;
use super::vocabularies::tokenizer;

/// The first byte chooses the tokenizer; the rest is read as ids, and then again as text.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let tokenizer = tokenizer(input.byte());
    let vocabulary = tokenizer.encoder.vocabulary();

    let rest = input.bytes(data.len());
    let ids = read_ids(rest, &tokenizer.ids);
    let mut expected = Ok(Vec::new());
    for (position, id) in ids.iter().enumerate() {
        assert_eq!(vocabulary.bytes_of(*id), tokenizer.tokens.get(id).map(Vec::as_slice));
        match (&mut expected, tokenizer.tokens.get(id)) {
            (Ok(bytes), Some(token)) => bytes.extend_from_slice(token),
            (Ok(_), None) => expected = Err((i128::from(*id), position)),
            (Err(_), _) => {}
        }
    }
    let decoded = vocabulary.decode(&ids).map_err(|error| match error {
        BpeError::IdOutsideVocabulary { id, position, .. } => (id, position),
        other => panic!("an error that no ids should give: {other}"),
    });
    assert_eq!(decoded, expected);

    if tokenizer.is_complete {
        let text = Input::new(rest).text();
        for policy in [SpecialPolicy::Encode, SpecialPolicy::Text] {
            let ids = tokenizer.encoder.encode(&text, policy).unwrap();
            assert_eq!(vocabulary.decode(&ids).unwrap(), text.as_bytes());
        }
    }
}

/// A byte is the place of a known id, 0xFF any id in the next four bytes.
fn read_ids(data: &[u8], known: &[u32]) -> Vec<u32> {
    let mut input = Input::new(data);
    let mut ids = Vec::new();
    while !input.is_empty() {
        ids.push(match input.byte() {
            u8::MAX => input.number(),
            // From the end, where the longer tokens and the special ones are.
            place => known[known.len() - 1 - usize::from(place) % known.len()],
        });
    }
    ids
}
