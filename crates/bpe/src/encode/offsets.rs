//! Where in the text each id comes from.

use std::ops::ControlFlow;

use super::{Encoder, Pretokens, SpecialPolicy, Worker};
use crate::error::BpeError;
use crate::memory::reserve;
use crate::progress::Progress;
use crate::split::Backend;

/// Start and end of an id's token, in bytes.
pub type Span = (usize, usize);

impl Encoder {
    /// The ids of `text`, and where each stands: neighbouring spans touch. A span may begin or end inside a character; see [`spans_in_characters`].
    ///
    /// # Errors
    /// See [`Encoder::encode_into`].
    pub fn encode_with_spans(
        &self,
        text: &str,
        special: SpecialPolicy,
        progress: &Progress,
    ) -> Result<(Vec<u32>, Vec<Span>), BpeError> {
        let mut ids = Vec::new();
        let mut spans = Vec::new();
        self.workers.with(progress, |worker| {
            let mut at = 0;
            let (tokens, token_ids) = self.tokens_found(special);
            while let Some((found, index)) = tokens.find(text.as_bytes(), at) {
                self.find_spans(worker, text, at..found.start, &mut ids, &mut spans)?;
                if special == SpecialPolicy::Reject {
                    self.check_may_stand(index, found.start)?;
                }
                ids.push(token_ids[index]);
                spans.push((found.start, found.end));
                at = found.end;
            }
            self.find_spans(worker, text, at..text.len(), &mut ids, &mut spans)
        })?;
        Ok((ids, spans))
    }

    /// Appends the ids and spans of a part of `text` without special tokens.
    fn find_spans(
        &self,
        worker: &mut Worker,
        text: &str,
        part: std::ops::Range<usize>,
        ids: &mut Vec<u32>,
        spans: &mut Vec<Span>,
    ) -> Result<(), BpeError> {
        let offset = part.start;
        let text = &text[part];
        let mut outcome = Ok(());
        self.splitter
            .try_for_each_batch(Backend::detect(), text, |start, ends| {
                let num_known = ids.len();
                let pretokens = Pretokens {
                    text: text.as_bytes(),
                    offset,
                    start,
                    ends,
                };
                outcome = self.encode_pretokens(worker, pretokens, ids);
                if outcome.is_ok() {
                    outcome = reserve(spans, ids.len() - num_known);
                }
                if outcome.is_err() {
                    return ControlFlow::Break(());
                }
                // The pre-tokens of a batch lie side by side, and so do what their ids spell.
                let mut at = offset + start;
                for &id in &ids[num_known..] {
                    let len = self.vocabulary.bytes_of(id).map_or(0, <[u8]>::len);
                    spans.push((at, at + len));
                    at += len;
                }
                ControlFlow::Continue(())
            })?;
        outcome
    }
}

/// Turns `spans` of `text`, in ascending order, into spans of characters: those that hold the first byte and the last.
///
/// So a token that holds part of a character has the offsets of that character, as its neighbours with the rest do.
pub fn spans_in_characters(text: &str, spans: &mut [Span]) {
    let starts_character = |byte: u8| byte & 0xC0 != 0x80;
    let (mut at, mut num_started) = (0, 0);
    // How many characters begin before `end`: since spans ascend, each byte is looked at once.
    let mut started_before = |end: usize| {
        let bytes = text.as_bytes().get(at..end).unwrap_or_default();
        num_started += bytes.iter().filter(|&&byte| starts_character(byte)).count();
        at = at.max(end);
        num_started
    };
    for (start, end) in spans {
        let first = started_before(*start + 1) - 1;
        (*start, *end) = (first, started_before(*end));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::split::{GPT2_PATTERN, GPT4_PATTERN};

    fn encoder(pattern: &str) -> Encoder {
        let merges = [("a", "b"), (" ", "ab"), ("\u{c3}", "x")].map(|(l, r)| (l.as_bytes().to_vec(), r.into()));
        let tokens = (0..=255).map(|byte| vec![byte]);
        let joined = merges.iter().map(|(l, r): &(Vec<u8>, Vec<u8>)| [&l[..], r].concat());
        let characters = [vec![0xe4, 0xb8], "\u{c3}".into()];
        let specials = [("<s>".to_owned(), 1000)];
        let tokens = (0..).zip(tokens.chain(joined).chain(characters));
        let merges = [&merges[..], &[(vec![0xe4], vec![0xb8])]].concat();
        Encoder::new(tokens, &merges, &specials, pattern, 1 << 20).unwrap()
    }

    /// Derived by hand: the three bytes of U+4E2D are two tokens, the first of two bytes.
    #[test]
    fn parts_of_characters_have_the_whole_character() {
        let text = "a\u{4e2d} ab<s>";
        let (ids, mut spans) = encoder(GPT2_PATTERN)
            .encode_with_spans(text, SpecialPolicy::Encode, &Progress::default())
            .unwrap();
        assert_eq!(ids, [97, 259, 0xad, 257, 1000]);
        assert_eq!(spans, [(0, 1), (1, 3), (3, 4), (4, 7), (7, 10)]);
        spans_in_characters(text, &mut spans);
        assert_eq!(spans, [(0, 1), (1, 2), (1, 2), (2, 5), (5, 8)]);
    }

    proptest! {
        /// Oracles: `encode` for the ids, decoding for what each span holds, counting for the characters.
        #[test]
        fn spans_hold_what_the_ids_spell(text in "(a|b|ab| |  |<s>|\u{4e2d}|\u{e9}|\u{1F642}|[a-c\n!]){0,40}") {
            for pattern in [GPT2_PATTERN, GPT4_PATTERN, "a+b|[^a]"] {
                let encoder = encoder(pattern);
                for special in [SpecialPolicy::Encode, SpecialPolicy::Text] {
                    let (ids, spans) = encoder.encode_with_spans(&text, special, &Progress::default()).unwrap();
                    prop_assert_eq!(&ids, &encoder.encode(&text, special).unwrap());
                    let mut in_characters = spans.clone();
                    spans_in_characters(&text, &mut in_characters);
                    prop_assert_eq!(ids.len(), spans.len());
                    for ((&id, &(start, end)), &(first, last)) in ids.iter().zip(&spans).zip(&in_characters) {
                        prop_assert_eq!(encoder.vocabulary().bytes_of(id).unwrap(), &text.as_bytes()[start..end]);
                        let place = |at: usize| text.char_indices().filter(|&(start, _)| start <= at).count();
                        prop_assert_eq!((first, last), (place(start) - 1, place(end - 1)));
                    }
                }
            }
        }
    }
}
