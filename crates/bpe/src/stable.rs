//! Which part of a text that is still arriving can be used already.

use crate::special::SpecialTokens;
use crate::split::{Splitter, LOOK_BACK_BYTES};

const MAX_CHAR_BYTES: usize = 4;

/// Length of a prefix of `text` whose special tokens and pre-tokens no later text can change, `text` beginning where a
/// pre-token or a special token does. What follows the prefix splits on its own as it would after it.
///
/// It falls short of the longest such prefix by a pre-token or two, so that progress is sure: where it is 0 the text is
/// (but for a few bytes) one pre-token, the beginning of a special token, or, under a free pattern, one document.
///
/// ```
/// use homespun_bpe::{split::GPT2_PATTERN, stable_prefix, SpecialTokens, Splitter};
///
/// let specials = SpecialTokens::new(["<|end|>"]).unwrap();
/// let splitter = Splitter::new(GPT2_PATTERN).unwrap();
/// assert_eq!(stable_prefix("two words", &splitter, &specials), 3); // " words" may continue
/// assert_eq!(stable_prefix("one  <|en", &splitter, &specials), 3); // so may the white space and the token
/// ```
pub fn stable_prefix(text: &str, splitter: &Splitter, specials: &SpecialTokens) -> usize {
    if let Some(cut) = last_cut(text, splitter, specials) {
        return cut;
    }
    let bytes = text.as_bytes();
    let mut unfinished = specials.unfinished_from(bytes, 0);
    let mut document = 0;
    while let Some((found, _)) = specials.find(bytes, document) {
        if found.start >= unfinished {
            break;
        }
        document = found.end;
        if document > unfinished {
            unfinished = specials.unfinished_from(bytes, document);
        }
    }
    document + splitter.stable_prefix(&text[document..unfinished])
}

/// How much of a text's end [`last_cut`] looks at, whole characters only.
pub(crate) fn cut_context_bytes(specials: &SpecialTokens) -> usize {
    LOOK_BACK_BYTES + 2 * (specials.max_len() + MAX_CHAR_BYTES)
}

/// The last place near the end of `text` at which it may be cut whatever stands before and after, if there is one.
pub(crate) fn last_cut(text: &str, splitter: &Splitter, specials: &SpecialTokens) -> Option<usize> {
    let bytes = text.as_bytes();
    let unfinished = specials.unfinished_from(bytes, 0);
    let cut = splitter.last_safe_cut(&text[..unfinished])?;
    (!specials.straddles(bytes, cut)).then_some(cut)
}
