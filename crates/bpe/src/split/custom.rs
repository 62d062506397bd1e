//! Any other pattern, on fancy-regex.

use std::ops::{ControlFlow, Range};

use fancy_regex::Regex;

use crate::error::BpeError;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct CustomPattern {
    regex: Regex,
}

impl CustomPattern {
    pub fn new(pattern: &str) -> Result<Self, BpeError> {
        let regex = Regex::new(pattern).map_err(|error| BpeError::InvalidPattern {
            pattern: pattern.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { regex })
    }

    /// Calls `on_pretoken` for every match that is not empty, until it breaks.
    pub fn for_each(
        &self,
        text: &str,
        mut on_pretoken: impl FnMut(Range<usize>) -> ControlFlow<()>,
    ) -> Result<(), BpeError> {
        let mut searched_from = 0;
        for found in self.regex.find_iter(text) {
            let found = found.map_err(|error| BpeError::PatternGaveUp {
                pattern: self.regex.as_str().to_string(),
                offset: searched_from,
                reason: error.to_string(),
            })?;
            searched_from = found.end();
            if !found.range().is_empty() && on_pretoken(found.range()).is_break() {
                break;
            }
        }
        Ok(())
    }
}
