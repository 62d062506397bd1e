//! Decoding: ids to bytes.

use crate::error::BpeError;
use crate::parallel;
use crate::progress::{Progress, CHECK_EVERY};
use crate::vocab::{Symbol, Vocabulary, FIXED_SIZE, TOO_LONG};

/// An id as a token file or an array holds it.
pub trait Id: Copy + Send + Sync + Into<u32> {}

impl Id for u16 {}
impl Id for u32 {}

/// Ids that are worth a thread.
const MIN_IDS_PER_THREAD: usize = if cfg!(miri) { 1 << 6 } else { 1 << 16 };

/// Ids that are known to be in the vocabulary, with the number of bytes that they spell.
#[derive(Debug)]
pub struct Decoding<'a, I> {
    vocabulary: &'a Vocabulary,
    /// Each for a thread.
    parts: Vec<(&'a [I], usize)>,
}

impl<'a, I: Id> Decoding<'a, I> {
    /// Prepares to decode `ids` on up to `num_threads` threads, where they are worth it.
    ///
    /// # Errors
    /// An id outside the vocabulary, by its position: the first.
    pub fn new(
        vocabulary: &'a Vocabulary,
        ids: &'a [I],
        num_threads: usize,
        progress: &Progress,
    ) -> Result<Self, BpeError> {
        let num_parts = num_threads.min(ids.len() / MIN_IDS_PER_THREAD).max(1);
        let part_len = ids.len().div_ceil(num_parts).max(1);
        let parts = parallel::map(ids.chunks(part_len).enumerate(), |(k, part)| {
            Ok((part, vocabulary.count_bytes(part, k * part_len, progress)?))
        });
        Ok(Self {
            vocabulary,
            parts: parts.into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// How many bytes the ids spell.
    #[must_use]
    pub fn num_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.1).sum()
    }

    /// Writes what the ids spell to `out`.
    ///
    /// # Errors
    /// [`BpeError::Interrupted`].
    ///
    /// # Panics
    /// `out` is not [`Decoding::num_bytes`] long.
    pub fn write(&self, out: &mut [u8], progress: &Progress) -> Result<(), BpeError> {
        assert_eq!(out.len(), self.num_bytes(), "the buffer fits what is decoded");
        let mut rest = out;
        let mut work = Vec::with_capacity(self.parts.len());
        for &(ids, num_bytes) in &self.parts {
            let (out, behind) = rest.split_at_mut(num_bytes);
            work.push((ids, out));
            rest = behind;
        }
        let written = parallel::map(work, |(ids, out)| self.vocabulary.spell(ids, out, progress));
        written.into_iter().collect()
    }
}

impl Vocabulary {
    /// The bytes that `ids` spell, joined. A token may hold part of a character, so this need not be UTF-8.
    ///
    /// # Errors
    /// An id outside the vocabulary, by its position.
    pub fn decode<I: Id>(&self, ids: &[I]) -> Result<Vec<u8>, BpeError> {
        let progress = Progress::default();
        let decoding = Decoding::new(self, ids, 1, &progress)?;
        let mut bytes = vec![0; decoding.num_bytes()];
        decoding.write(&mut bytes, &progress)?;
        Ok(bytes)
    }

    /// How many bytes `ids` spell, of which the first stands at `start`.
    fn count_bytes<I: Id>(&self, ids: &[I], start: usize, progress: &Progress) -> Result<usize, BpeError> {
        let mut num_bytes = 0;
        for (chunk, start) in ids.chunks(CHECK_EVERY).zip((start..).step_by(CHECK_EVERY)) {
            progress.check()?;
            for (&id, position) in chunk.iter().zip(start..) {
                let id = id.into();
                let symbol = self.symbol_of_id(id).ok_or_else(|| self.outside(id.into(), position))?;
                num_bytes += match self.fixed_size_bytes(symbol)[FIXED_SIZE - 1] {
                    TOO_LONG => self.symbol_bytes(symbol).len(),
                    len => usize::from(len),
                };
            }
        }
        Ok(num_bytes)
    }

    /// Writes what `ids`, all of them in the vocabulary, spell to `out`, which has room for just that.
    fn spell<I: Id>(&self, ids: &[I], out: &mut [u8], progress: &Progress) -> Result<(), BpeError> {
        let mut end = 0;
        for chunk in ids.chunks(CHECK_EVERY) {
            progress.check()?;
            for symbol in chunk.iter().filter_map(|&id| self.symbol_of_id(id.into())) {
                let bytes = self.fixed_size_bytes(symbol);
                let len = usize::from(bytes[FIXED_SIZE - 1]);
                match out.get_mut(end..end + FIXED_SIZE) {
                    // One move of a fixed length: what it copies too much, the next one overwrites.
                    Some(place) if len < FIXED_SIZE => {
                        place.copy_from_slice(bytes);
                        end += len;
                    }
                    _ => end += self.spell_exactly(symbol, &mut out[end..]),
                }
            }
        }
        Ok(())
    }

    /// A long token, or one near the end.
    #[cold]
    fn spell_exactly(&self, symbol: Symbol, out: &mut [u8]) -> usize {
        let bytes = self.symbol_bytes(symbol);
        out[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of 1 to 120 bytes, ids from 0 on.
    fn long_tokens() -> Vec<String> {
        (0..40).map(|id| "abc".repeat(id + 1)[id % 3..].to_owned()).collect()
    }

    /// Oracle: joining the bytes of each id.
    #[test]
    fn tokens_of_any_length_decode() {
        let tokens = long_tokens();
        let vocabulary = Vocabulary::new((0..).zip(&tokens), &[]).unwrap();
        for num_ids in [0, 1, 2, 5, 40, 400] {
            for step in [1, 7, 39] {
                let ids: Vec<u16> = (0..num_ids).map(|k| k * step % 40).collect();
                let expected: String = ids.iter().map(|&id| tokens[usize::from(id)].as_str()).collect();
                assert_eq!(vocabulary.decode(&ids).unwrap(), expected.as_bytes());
            }
        }
    }

    /// Oracle: one thread.
    #[test]
    fn threads_change_nothing() {
        let vocabulary = Vocabulary::new((0..).zip(long_tokens()), &[]).unwrap();
        let progress = Progress::new();
        let num_ids = 3 * MIN_IDS_PER_THREAD + 1;
        let mut ids: Vec<u32> = (0..num_ids as u32).map(|k| k * 7 % 4).collect();
        let expected = vocabulary.decode(&ids).unwrap();
        for num_threads in [0, 1, 2, 3, 100] {
            let decoding = Decoding::new(&vocabulary, &ids, num_threads, &progress).unwrap();
            let mut bytes = vec![0; decoding.num_bytes()];
            decoding.write(&mut bytes, &progress).unwrap();
            assert!(bytes == expected);
        }
        let place = 5 * MIN_IDS_PER_THREAD / 2;
        (ids[place], ids[place + 9]) = (40, 41);
        for num_threads in [1, 2, 3] {
            let error = Decoding::new(&vocabulary, &ids, num_threads, &progress).unwrap_err();
            let is_first = matches!(error, BpeError::IdOutsideVocabulary { id: 40, position, .. } if position == place);
            assert!(is_first, "{error}");
        }
        progress.stop();
        let stopped = Decoding::new(&vocabulary, &ids, 2, &progress);
        assert!(matches!(stopped, Err(BpeError::Interrupted)));
    }

    #[test]
    fn sparse_ids_decode() {
        let tokens = [(u32::MAX, "z"), (0, "a"), (1, "b"), (70_000, "c")];
        let sparse = Vocabulary::new(tokens, &[("<s>".to_owned(), 9)]).unwrap();
        assert_eq!(sparse.decode(&[u32::MAX, 9, 0, 70_000, 1]).unwrap(), b"z<s>acb");
        let error = sparse.decode(&[0_u32, 1, 8]).unwrap_err();
        let expected = matches!(
            error,
            BpeError::IdOutsideVocabulary {
                id: 8,
                position: 2,
                vocab_size: 5,
                ..
            }
        );
        assert!(expected, "{error}");
    }
}
