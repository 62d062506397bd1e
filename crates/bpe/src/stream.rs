//! Encoding a text that arrives in chunks.

use std::sync::Arc;

use crate::encode::{Encoder, SpecialPolicy};
use crate::error::BpeError;
use crate::memory::reserve_text;
use crate::progress::Progress;
use crate::special::SpecialTokens;
use crate::stable::stable_prefix;

/// Text held shorter than this is tried again with every piece; longer text when it has doubled.
const ALWAYS_TRIED_BYTES: usize = 256;

/// Gives the ids of the joined text, whatever the pieces.
///
/// Held back is what later text could still change: the last pre-token or two and what may be the beginning of a
/// special token; with a free pattern, which can look ahead any distance, everything since the last special token.
/// Held text that gave nothing is tried again only when it is twice as long, so that a pre-token of any length
/// takes linear time, and memory at most twice its length.
#[derive(Debug)]
pub struct EncodeStream {
    /// Stops what takes long; to be set before it begins.
    pub progress: Progress,
    encoder: Arc<Encoder>,
    special: SpecialPolicy,
    /// Those that are looked for under this policy.
    special_tokens: SpecialTokens,
    held: String,
    /// How long `held` must be for another try.
    try_again_bytes: usize,
    /// Where `held` stands in the joined text.
    offset: usize,
}

impl EncodeStream {
    /// An empty stream.
    #[must_use]
    pub fn new(encoder: Arc<Encoder>, special: SpecialPolicy) -> Self {
        let special_tokens = encoder.tokens_found(special).0.clone();
        Self {
            progress: Progress::default(),
            encoder,
            special,
            special_tokens,
            held: String::new(),
            try_again_bytes: 0,
            offset: 0,
        }
    }

    /// Takes in the next chunk; appends the ids that no later text can change to `out`.
    ///
    /// # Errors
    /// As [`Encoder::encode_into`], with offsets in the joined text. The stream is then empty, ready for another text.
    pub fn push(&mut self, text: &str, out: &mut Vec<u32>) -> Result<(), BpeError> {
        let mut held = std::mem::take(&mut self.held);
        if held.is_empty() {
            // A piece that meets nothing held is encoded where it lies.
            let used = self.encode_certain(text, out)?;
            reserve_text(&mut held, text.len() - used)?;
            held.push_str(&text[used..]);
        } else {
            reserve_text(&mut held, text.len())?;
            held.push_str(text);
            if held.len() >= self.try_again_bytes {
                let used = self.encode_certain(&held, out)?;
                held.drain(..used);
            }
        }
        self.held = held;
        Ok(())
    }

    /// Appends the rest of the ids; the stream is then empty, ready for another text.
    ///
    /// # Errors
    /// As [`EncodeStream::push`].
    pub fn finish(&mut self, out: &mut Vec<u32>) -> Result<(), BpeError> {
        let held = std::mem::take(&mut self.held);
        self.try_again_bytes = 0;
        let offset = std::mem::take(&mut self.offset);
        self.encode_at(offset, &held, out)
    }

    /// How many bytes of text wait for what follows them.
    #[must_use]
    pub fn num_bytes_held(&self) -> usize {
        self.held.len()
    }

    /// Encodes the longest prefix of `text` that is certain; returns its length.
    fn encode_certain(&mut self, text: &str, out: &mut Vec<u32>) -> Result<usize, BpeError> {
        let used = stable_prefix(text, self.encoder.splitter(), &self.special_tokens);
        let rest = text.len() - used;
        self.try_again_bytes = if used == 0 && rest > ALWAYS_TRIED_BYTES {
            2 * rest
        } else {
            0
        };
        let encoded = self.encode_at(self.offset, &text[..used], out);
        self.offset = if encoded.is_ok() { self.offset + used } else { 0 };
        encoded.map(|()| used)
    }

    /// Encodes a text that stands at `offset` of the joined one.
    fn encode_at(&self, offset: usize, text: &str, out: &mut Vec<u32>) -> Result<(), BpeError> {
        self.encoder.with_worker(&self.progress, |worker| {
            self.encoder.encode_by(worker, text, self.special, offset, out)
        })
    }
}
