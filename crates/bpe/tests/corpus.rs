//! Encoding whole files and lists of documents against encoding each document by itself.

use std::path::PathBuf;

use homespun_bpe::corpus::{encode_documents, encode_files, Documents, FileRange, Separator, TextFiles};
use homespun_bpe::progress::Progress;
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{BpeError, Encoder, SpecialPolicy};
use proptest::prelude::*;

/// Can overlap itself, and be cut anywhere.
const SEPARATOR: Separator<'static> = Separator { text: "<|<|", id: 300 };
const OTHER_SPECIAL: &str = "<e>";
const COMPLETE_FREE_PATTERN: &str = r"\w+(?=\s)|\w|\s+|[^\w\s]+";

/// Files that go away with their test.
struct Files(Vec<PathBuf>);

impl Files {
    fn new(name: &str, contents: &[impl AsRef<[u8]>]) -> Self {
        let paths = contents.iter().enumerate().map(|(index, content)| {
            let path = std::env::temp_dir().join(format!("homespun-corpus-{}-{name}-{index}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            path
        });
        Self(paths.collect())
    }

    fn texts(&self, num_threads: usize, chunk_bytes: usize) -> TextFiles<'_> {
        TextFiles {
            paths: &self.0,
            start: 0,
            end: None,
            separator: SEPARATOR,
            closes_last: false,
            num_threads,
            chunk_bytes,
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn encoder(pattern: &str) -> Encoder {
    let merges: Vec<(Vec<u8>, Vec<u8>)> = [("a", "a"), (" ", "a"), ("<", "|"), ("\r", "\n"), ("e", ">")]
        .iter()
        .map(|(left, right)| (left.as_bytes().to_vec(), right.as_bytes().to_vec()))
        .collect();
    let joined = merges.iter().map(|(left, right)| [&left[..], right].concat());
    let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(joined).collect();
    let specials = [
        (SEPARATOR.text.to_owned(), SEPARATOR.id),
        (OTHER_SPECIAL.to_owned(), 301),
    ];
    Encoder::new((0..).zip(tokens), &merges, &specials, pattern, 1 << 16).unwrap()
}

/// Each document by itself, a separator between two, and at the end of each file but perhaps the last.
fn ids_by_document(encoder: &Encoder, texts: &[impl AsRef<str>], closes_last: bool) -> Vec<u32> {
    let mut ids = Vec::new();
    for (index, text) in texts.iter().map(AsRef::as_ref).enumerate() {
        let is_closed = text.split(SEPARATOR.text).last() == Some("");
        for (number, document) in text.split(SEPARATOR.text).enumerate() {
            if number > 0 {
                ids.push(SEPARATOR.id);
            }
            ids.extend(encoder.encode(document, SpecialPolicy::Text).unwrap());
        }
        if !is_closed && (closes_last || index + 1 < texts.len()) {
            ids.push(SEPARATOR.id);
        }
    }
    ids
}

/// The blocks of `files`, each checked to say rightly what it holds.
fn blocks(encoder: &Encoder, files: &TextFiles<'_>) -> Result<Vec<(FileRange, Vec<u32>)>, BpeError> {
    let mut blocks = Vec::new();
    encode_files(encoder, files, &Progress::default(), |range, block| {
        let num_bytes = encoder.vocabulary().decode(block.ids)?.len();
        assert_eq!(block.num_bytes, num_bytes as u64);
        let separators = block.ids.iter().filter(|&&id| id == SEPARATOR.id);
        assert_eq!(block.num_separators, separators.count() as u64);
        blocks.push((range, block.ids.to_vec()));
        Ok(())
    })?;
    Ok(blocks)
}

fn joined(blocks: &[(FileRange, Vec<u32>)]) -> Vec<u32> {
    blocks.iter().flat_map(|(_, ids)| ids.iter().copied()).collect()
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<|<|"),
        Just("<|"),
        Just("|"),
        Just("<e>"),
        Just("aa"),
        Just(" a"),
        Just("a "),
        Just("  "),
        Just("\r\n"),
        Just("\u{e9}"),
        Just("\u{1f642}"),
        Just("'re"),
        Just("12"),
        Just("aaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    prop::collection::vec(piece, 1..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn files_become_the_ids_of_their_documents(
        texts in prop::collection::vec(text(), 1..4),
        pattern in prop::sample::select(vec![GPT2_PATTERN, GPT4_PATTERN, COMPLETE_FREE_PATTERN]),
        num_threads in 0usize..4,
        chunk_bytes in prop_oneof![0usize..50, Just(1 << 16)],
        closes_last: bool,
    ) {
        let encoder = encoder(pattern);
        let files = Files::new("documents", &texts);
        let settings = TextFiles { closes_last, ..files.texts(num_threads, chunk_bytes) };
        let whole = blocks(&encoder, &settings).unwrap();
        prop_assert_eq!(joined(&whole), ids_by_document(&encoder, &texts, closes_last));
        for (number, (range, _)) in whole.iter().enumerate() {
            // Taken up again at a block: the same ids from there on.
            let rest = TextFiles { paths: &files.0[range.file_index..], start: range.start, ..settings };
            prop_assert_eq!(joined(&blocks(&encoder, &rest).unwrap()), joined(&whole[number..]));
            // Ended there: the same ids before it.
            if range.start > 0 {
                let paths = &files.0[..=range.file_index];
                let before = TextFiles { paths, end: Some(range.start), closes_last: false, ..settings };
                prop_assert_eq!(joined(&blocks(&encoder, &before).unwrap()), joined(&whole[..number]));
            }
        }
    }

    #[test]
    fn documents_become_their_ids(texts in prop::collection::vec(text(), 0..6), num_threads in 0usize..4, closes_last: bool) {
        let encoder = encoder(GPT2_PATTERN);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let documents = Documents { texts: &texts, separator: SEPARATOR, closes_last, num_threads };
        let mut ids = Vec::new();
        encode_documents(&encoder, &documents, &Progress::default(), |block| {
            assert_eq!(block.num_bytes, encoder.vocabulary().decode(block.ids)?.len() as u64);
            ids.extend_from_slice(block.ids);
            Ok(())
        }).unwrap();
        let mut expected = Vec::new();
        for text in &texts {
            expected.extend(encoder.encode(text, SpecialPolicy::Text).unwrap());
            expected.push(SEPARATOR.id);
        }
        if !closes_last {
            expected.pop();
        }
        prop_assert_eq!(ids, expected);
    }
}

#[test]
fn blocks_follow_each_other_through_the_file() {
    let text = "a few words, again and again <|<|".repeat(50);
    let (files, encoder) = (Files::new("ranges", &[&text]), encoder(GPT2_PATTERN));
    let blocks = blocks(&encoder, &files.texts(2, 100)).unwrap();
    assert!(blocks.len() > 10, "chunks of 100 bytes are blocks of their own");
    let mut end = 0;
    for (range, _) in &blocks {
        assert_eq!((range.file_index, range.start), (0, end));
        end = range.end;
    }
    assert_eq!(end, text.len() as u64);
}

#[test]
fn of_several_errors_the_first_in_the_text_is_reported() {
    let encoder = encoder(GPT2_PATTERN);
    let text = [&b"words and words \xe2\x82"[..], b" more words ", b"\xff and"].concat();
    let files = Files::new("invalid", &[&b"fine"[..], &text]);
    for chunk_bytes in [1, 5, 13, 100] {
        for num_threads in [1, 3] {
            let error = blocks(&encoder, &files.texts(num_threads, chunk_bytes)).unwrap_err();
            assert!(
                matches!(&error, BpeError::InvalidUtf8 { place, offset: 16 } if place.ends_with("invalid-1")),
                "{error}"
            );
        }
    }
}

#[test]
fn empty_and_missing_files_are_refused() {
    let encoder = encoder(GPT2_PATTERN);
    let mut files = Files::new("empty", &["text", ""]);
    assert!(matches!(
        blocks(&encoder, &files.texts(2, 100)),
        Err(BpeError::EmptyInput { place }) if place.ends_with("empty-1")
    ));
    files.0.push(files.0[0].with_extension("missing"));
    files.0.remove(1);
    assert!(matches!(
        blocks(&encoder, &files.texts(2, 100)),
        Err(BpeError::Io { .. })
    ));
}

#[test]
fn a_byte_that_is_no_token_is_named_with_its_place_in_the_file() {
    let tokens = (0..=255)
        .filter(|&byte| byte != b'z')
        .map(|byte| (u32::from(byte), vec![byte]));
    let specials = [(SEPARATOR.text.to_owned(), SEPARATOR.id)];
    let encoder = Encoder::new(tokens, &[], &specials, GPT2_PATTERN, 1 << 16).unwrap();
    let files = Files::new("bytes", &["some words<|<|a z"]);
    let error = blocks(&encoder, &files.texts(1, 3)).unwrap_err();
    assert!(
        error.to_string().contains("bytes-0: byte 0x7A at byte 16 of the text"),
        "{error}"
    );
}

#[test]
fn what_on_block_returns_ends_the_work() {
    let text = "a few words ".repeat(1000);
    let (files, encoder) = (Files::new("stopped", &[&text]), encoder(GPT2_PATTERN));
    let mut num_blocks = 0;
    let outcome = encode_files(&encoder, &files.texts(2, 100), &Progress::default(), |_, _| {
        num_blocks += 1;
        if num_blocks == 3 {
            Err(BpeError::Interrupted)
        } else {
            Ok(())
        }
    });
    assert!(matches!(outcome, Err(BpeError::Interrupted)));
    assert_eq!(num_blocks, 3);
}
