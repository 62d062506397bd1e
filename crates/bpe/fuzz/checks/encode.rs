//! Encoding: every way of it gives what the definition gives, ids and refusals.

use std::sync::Arc;

use homespun_bpe::progress::Progress;
use homespun_bpe::{BpeError, EncodeStream, SpecialPolicy};

use super::definition::Refusal;
use super::input::{boundary, Input};
use super::vocabularies::tokenizer;

const POLICIES: [SpecialPolicy; 3] = [SpecialPolicy::Encode, SpecialPolicy::Text, SpecialPolicy::Reject];

const MAX_CUTS: u8 = 8;

/// The first byte chooses the tokenizer, the second the policy, the third how many places follow, of two bytes each, at
/// which the text is cut into pieces.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let tokenizer = tokenizer(input.byte());
    let policy = POLICIES[usize::from(input.byte()) % POLICIES.len()];
    let cuts: Vec<usize> = (0..input.byte() % MAX_CUTS)
        .map(|_| usize::from(input.byte()) << 8 | usize::from(input.byte()))
        .collect();
    let text = input.text();
    let encoder = &tokenizer.encoder;
    let expected = tokenizer.definition.encode(&text, policy);

    // A worker of its own, so that the input alone decides; the second time, what it remembers.
    let mut worker = encoder.new_worker();
    for _ in 0..2 {
        let mut ids = vec![7];
        let encoded = encoder.encode_into(&mut worker, &text, policy, &mut ids);
        let ids = encoded.map(|()| ids.split_off(1)).map_err(Refusal::of);
        assert_eq!(ids, expected);
    }
    assert_eq!(
        encoder.encode(&text, policy).map_err(Refusal::of),
        expected,
        "a worker that remembers all before"
    );

    let pieces = pieces(&text, &cuts);
    let mut stream = EncodeStream::new(Arc::clone(encoder), policy);
    for _ in 0..2 {
        assert_eq!(
            by_stream(&mut stream, &pieces).map_err(Refusal::of),
            expected,
            "in pieces {pieces:?}"
        );
    }

    let one_by_one: Result<Vec<_>, _> = pieces.iter().map(|piece| encoder.encode(piece, policy)).collect();
    match (
        encoder.encode_batch(&pieces, policy, 2, &Progress::default()),
        one_by_one,
    ) {
        (Ok(batch), Ok(one_by_one)) => assert_eq!(batch, one_by_one),
        (Err(BpeError::InText { error, .. }), Err(first)) => assert_eq!(Refusal::of(*error), Refusal::of(first)),
        (batch, one_by_one) => panic!("{batch:?} in a batch, {one_by_one:?} one by one"),
    }
}

/// `text` cut at the character boundaries near `cuts`.
fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut places: Vec<usize> = cuts.iter().map(|&cut| boundary(text, cut)).collect();
    places.sort_unstable();
    places.push(text.len());
    let mut start = 0;
    places
        .into_iter()
        .map(|end| &text[std::mem::replace(&mut start, end)..end])
        .collect()
}

fn by_stream(stream: &mut EncodeStream, pieces: &[&str]) -> Result<Vec<u32>, BpeError> {
    let mut ids = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut ids)?;
    }
    stream.finish(&mut ids)?;
    Ok(ids)
}
