//! DocumentBatch that arrive as strings.

use crate::chunks::PADDING;
use crate::error::BpeError;
use crate::memory::reserve_text;

/// Whole documents in which nothing is a special token.
#[derive(Clone, Debug, Default)]
pub struct DocumentBatch {
    /// One after the other.
    text: String,
    ends: Vec<usize>,
}

impl DocumentBatch {
    /// Appends a document.
    ///
    /// # Errors
    /// [`BpeError::OutOfMemory`].
    pub fn push(&mut self, document: &str) -> Result<(), BpeError> {
        reserve_text(&mut self.text, document.len() + PADDING)?;
        self.text.push_str(document);
        self.ends.push(self.text.len());
        Ok(())
    }

    /// Calls `on_document(text, padded)` for each, where `padded` begins with `text` and continues for at least [`PADDING`]
    /// bytes.
    pub(super) fn for_each(
        &mut self,
        mut on_document: impl FnMut(&str, &[u8]) -> Result<(), BpeError>,
    ) -> Result<(), BpeError> {
        reserve_text(&mut self.text, PADDING)?;
        self.text.extend([' '; PADDING]);
        let mut start = 0;
        for &end in &self.ends {
            on_document(&self.text[start..end], &self.text.as_bytes()[start..])?;
            start = end;
        }
        Ok(())
    }
}
