//! Custom patterns, on fancy-regex.

use std::ops::{ControlFlow, Range};

use fancy_regex::{Regex, RegexBuilder};

use crate::error::BpeError;

/// Steps that the engine may take to find one match. Its own default, a million, is exceeded by a pattern with look-around
/// that matches nothing in some 200 kB; this one is reached after seconds, by patterns that backtrack without end.
const BACKTRACK_LIMIT: usize = 1 << 28;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct CustomPattern {
    regex: Regex,
}

impl CustomPattern {
    pub fn new(pattern: &str) -> Result<Self, BpeError> {
        let built = RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_LIMIT).build();
        let regex = built.map_err(|error| BpeError::InvalidPattern {
            pattern: pattern.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { regex })
    }

    /// Calls `on_pretoken` for every match and for the text between two matches, so that no text is lost, until it breaks.
    ///
    /// This is what Hugging Face's tokenizers call a split with behavior "Isolated". A match that is empty is no
    /// pre-token, but divides the text between its neighbours: `(?=\p{Lu})` splits before every capital letter.
    pub fn for_each(
        &self,
        text: &str,
        mut on_pretoken: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> Result<(), BpeError> {
        let mut emit = |range: Range<usize>| {
            if range.is_empty() {
                ControlFlow::Continue(())
            } else {
                on_pretoken(range)
            }
        };
        let mut end = 0;
        for found in self.regex.find_iter(text) {
            let found = found.map_err(|error| BpeError::PatternGaveUp {
                pattern: self.regex.as_str().to_string(),
                offset: end,
                reason: error.to_string(),
            })?;
            if emit(end..found.start()).is_break() || emit(found.range()).is_break() {
                return Ok(());
            }
            end = found.end();
        }
        // Nothing follows that a break could stop.
        let _ = emit(end..text.len());
        Ok(())
    }
}
