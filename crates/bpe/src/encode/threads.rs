//! One text on several threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Encoder, SpecialPolicy, Worker};
use crate::error::BpeError;
use crate::memory;
use crate::parallel::{in_order, Outlet};
use crate::progress::Progress;

/// A text is cut into parts of about so many bytes: its ids fit the second-level cache.
const PART_BYTES: usize = 1 << 18;

/// Parts that wait for those before them, for each thread.
const PARTS_PER_THREAD: usize = 4;

impl Encoder {
    /// [`Encoder::encode`], on up to `num_threads` threads beside the caller's where the text is worth it,
    /// unless it is stopped.
    ///
    /// Cut where special tokens and pre-tokens are the same on either side, or where no merge joins the two sides of a long
    /// pre-token, so the ids are the same for any number.
    ///
    /// # Errors
    /// See [`Encoder::encode_into`].
    pub fn encode_on_threads(
        &self,
        text: &str,
        special: SpecialPolicy,
        num_threads: usize,
        progress: &Progress,
    ) -> Result<Vec<u32>, BpeError> {
        let mut ids = Vec::new();
        let num_threads = num_threads.min(text.len() / PART_BYTES);
        if num_threads <= 1 || !self.splitter.is_streamable() {
            self.workers
                .with(progress, |worker| self.encode_by(worker, text, special, 0, &mut ids))?;
            return Ok(ids);
        }
        let job = Job {
            encoder: self,
            text,
            special,
            next: Mutex::new(Next { number: 0, start: 0 }),
            spare: Mutex::new(Vec::new()),
        };
        in_order(
            num_threads,
            num_threads * PARTS_PER_THREAD,
            |outlet| self.workers.with(progress, |worker| job.work(worker, outlet)),
            |part: Result<Vec<u32>, BpeError>| {
                let mut part = part?;
                if ids.capacity() == 0 {
                    // Growing copies, into memory that was never touched. A guess, and nothing is lost where it is refused.
                    let num_parts = text.len() / PART_BYTES + 1;
                    let _ = memory::reserve_exact(&mut ids, part.len() / 8 * 9 * num_parts);
                }
                memory::extend(&mut ids, &part)?;
                part.clear();
                lock(&job.spare).push(part);
                Ok(())
            },
        )?;
        Ok(ids)
    }

    /// Where a part of `text` that begins at `start` and is to have about [`PART_BYTES`] ends.
    fn part_end(&self, text: &str, start: usize, special: SpecialPolicy) -> usize {
        let mut end = start;
        loop {
            end += PART_BYTES;
            if end >= text.len() {
                return text.len();
            }
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let before = &text[..end];
            let is_free = |&cut: &usize| cut > start && !self.tokens_found(special).0.straddles(text.as_bytes(), cut);
            let between = self.splitter.last_safe_cut(before).filter(is_free);
            // Nearly all of a text may be one word: base64, a genome, random letters.
            let within = || {
                let may_cut = |left, right| !self.boundaries.are_joined(left, right);
                self.splitter.last_cut_of_word(before, may_cut).filter(is_free)
            };
            if let Some(cut) = between.or_else(within) {
                return cut;
            }
        }
    }
}

/// What the threads share.
struct Job<'a> {
    encoder: &'a Encoder,
    text: &'a str,
    special: SpecialPolicy,
    next: Mutex<Next>,
    /// Buffers to use again: memory that was never touched is slow.
    spare: Mutex<Vec<Vec<u32>>>,
}

/// The part to be drawn next.
struct Next {
    number: u64,
    start: usize,
}

impl Job<'_> {
    fn work(&self, worker: &mut Worker, outlet: &Outlet<Result<Vec<u32>, BpeError>>) {
        while let Some((number, start, end)) = self.draw() {
            let mut ids = lock(&self.spare).pop().unwrap_or_default();
            let encoded = self
                .encoder
                .encode_by(worker, &self.text[start..end], self.special, start, &mut ids);
            if outlet.put(number, encoded.map(|()| ids)).is_break() {
                return;
            }
        }
    }

    fn draw(&self) -> Option<(u64, usize, usize)> {
        let mut next = lock(&self.next);
        let start = next.start;
        if start == self.text.len() {
            return None;
        }
        let end = self.encoder.part_end(self.text, start, self.special);
        let number = next.number;
        (next.number, next.start) = (number + 1, end);
        Some((number, start, end))
    }
}

/// No code panics while it holds one of the locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{GPT2_PATTERN, GPT4_PATTERN};

    fn encoder(pattern: &str) -> Encoder {
        let merges = [("a", "a"), (" ", "a"), ("aa", "aa"), ("<", "|"), (" ", " ")].map(|(l, r)| (l.into(), r.into()));
        let tokens = (0..=255).map(|byte| vec![byte]);
        let joined = merges.iter().map(|(l, r): &(Vec<u8>, Vec<u8>)| [&l[..], r].concat());
        let specials = ["<|end|>", "<|end|> <|end|>", " b"].map(str::to_owned);
        let specials: Vec<_> = specials.into_iter().zip(1000..).collect();
        Encoder::new((0..).zip(tokens.chain(joined)), &merges, &specials, pattern, 1 << 20).unwrap()
    }

    /// Oracle: one thread. Texts that can be cut anywhere, hardly anywhere, only inside special tokens, and nowhere.
    #[test]
    fn threads_change_nothing() {
        let num = if cfg!(miri) { 1 } else { 3 };
        let texts = [
            "aaa aa a <|end|> \u{e9}\u{4e2d}".repeat(num * 40_000),
            "a".repeat(num * 300_000),
            ("a".repeat(300_000) + " b \u{e9} ").repeat(num),
            "<|end|> ".repeat(num * 50_000),
            " b".repeat(num * 150_000),
            // One word, in which hardly any two neighbours merge, and contractions around the cuts.
            "abcaadbbca".repeat(num * 60_000),
            "zzz'veaab'llaa".repeat(num * 40_000),
        ];
        for pattern in [GPT2_PATTERN, GPT4_PATTERN] {
            let encoder = encoder(pattern);
            for text in &texts {
                for special in [SpecialPolicy::Encode, SpecialPolicy::Text] {
                    let expected = encoder.encode(text, special).unwrap();
                    for num_threads in [0, 1, 2, 5] {
                        let ids = encoder
                            .encode_on_threads(text, special, num_threads, &Progress::default())
                            .unwrap();
                        assert!(ids == expected, "{num_threads} threads, {:.20}", text);
                    }
                }
                let batch = encoder
                    .encode_batch(&["a", text, " b"], SpecialPolicy::Encode, 3, &Progress::default())
                    .unwrap();
                assert!(batch[1] == encoder.encode(text, SpecialPolicy::Encode).unwrap());
                assert_eq!(batch[2], [1002]);
            }
        }
    }

    /// Oracle: the error; whatever the method, the threads, and the merger of a long pre-token.
    #[test]
    fn work_stops_on_request() {
        let encoder = encoder(GPT2_PATTERN);
        let progress = Progress::new();
        progress.stop();
        for text in ["aa a ".repeat(200_000), "aab".repeat(1000)] {
            for num_threads in [1, 3] {
                let special = SpecialPolicy::Encode;
                let outcomes = [
                    encoder
                        .encode_on_threads(&text, special, num_threads, &progress)
                        .map(drop),
                    encoder
                        .encode_batch(&[&text], special, num_threads, &progress)
                        .map(drop),
                    encoder.encode_with_spans(&text, special, &progress).map(drop),
                ];
                assert!(outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Err(BpeError::Interrupted))));
            }
            let expected = encoder.encode(&text, SpecialPolicy::Encode).unwrap();
            assert_eq!(encoder.vocabulary().decode(&expected).unwrap(), text.as_bytes());
        }
    }

    /// Oracle: the place where the special token was put.
    #[test]
    fn the_first_error_is_reported() {
        let encoder = encoder(GPT2_PATTERN);
        let text = "aa a ".repeat(200_000);
        let with_errors = [&text[..700_000], "<|end|>", &text, "<|end|>"].concat();
        let error = encoder
            .encode_on_threads(&with_errors, SpecialPolicy::Reject, 3, &Progress::default())
            .unwrap_err();
        assert!(matches!(error, BpeError::SpecialTokenInText { offset: 700_000, .. }));
    }
}
