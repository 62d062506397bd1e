//! Counting in little memory, and from several sources: the same counts.

use std::collections::BTreeMap;
use std::path::Path;

use homespun_bpe::count::{count_file, first_cut, read_counts, CountOptions, Counter, Counts, DocumentBatch};
use homespun_bpe::progress::Progress;
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use proptest::prelude::*;

use crate::helpers::{as_map, naive, Directory, TextFile};

fn limited(num_threads: usize, chunk_bytes: usize, max_memory_bytes: usize, directory: &Directory) -> CountOptions {
    CountOptions {
        num_threads,
        chunk_bytes,
        max_memory_bytes: Some(max_memory_bytes),
        spill_directory: directory.0.clone(),
    }
}

/// Words of all lengths, short and long, rare and frequent, and special tokens between them.
fn text_of(numbers: &[u16]) -> String {
    numbers
        .iter()
        .map(|&number| match number % 7 {
            0 => format!(" {}{number}", "long".repeat(usize::from(number % 50))),
            1 => "<|end|>".to_string(),
            2 => format!(
                "\n\u{4e2d}{}\u{6587}",
                char::from_u32(0x10000 + u32::from(number)).unwrap()
            ),
            _ => format!(" w{}", char::from_u32(0x20000 + u32::from(number)).unwrap()),
        })
        .collect()
}

fn specials() -> SpecialTokens {
    SpecialTokens::new(["<|end|>", "<|end|><|end|>"]).unwrap()
}

fn written(counter: Counter, directory: &Directory) -> Counts {
    let path = directory.0.join("written.counts");
    let sums = counter.write(&path, b"header").unwrap();
    let counts = read_counts(std::slice::from_ref(&path), &directory.0, None, &Progress::default()).unwrap();
    assert_eq!(
        (counts.len() as u64, counts.num_bytes() as u64, counts.total()),
        (sums.num_entries, sums.num_bytes, sums.total)
    );
    std::fs::remove_file(path).unwrap();
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Oracle: an ordered map over the whole text at once. Tables this small are full after some dozens of words.
    #[test]
    fn memory_changes_nothing(
        numbers in proptest::collection::vec(any::<u16>(), 1..4000),
        num_threads in 1..4usize,
        chunk_bytes in 1..5000usize,
        max_memory_bytes in 0..300_000usize,
    ) {
        let directory = Directory::new("memory");
        let text = text_of(&numbers);
        let file = TextFile::new("memory.txt", text.as_bytes());
        for pattern in [GPT2_PATTERN, GPT4_PATTERN, r"\w+|\W"] {
            let splitter = Splitter::new(pattern).unwrap();
            let expected = naive(&text, &specials(), &splitter);
            let options = limited(num_threads, chunk_bytes, max_memory_bytes, &directory);
            let mut counter = Counter::new(specials(), splitter.clone(), &options);
            let size = text.len() as u64;
            prop_assert_eq!(counter.count_file(&file.0, 0..size).unwrap(), size);
            prop_assert_eq!(as_map(&written(counter, &directory)), expected.clone());
            prop_assert_eq!(directory.names().len(), 0, "a directory of runs was left behind");

            let needed = Counts::memory_bytes(expected.len(), expected.keys().map(Vec::len).sum());
            match count_file(&file.0, &specials(), &splitter, &options) {
                Ok(counts) => prop_assert_eq!(as_map(&counts), expected),
                Err(BpeError::CountsExceedMemory { needed: stated, .. }) => {
                    prop_assert!(stated == needed && needed > max_memory_bytes);
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }

    /// Oracle: the whole text at once. A file in two ranges, a stream, and documents in which `<|end|>` is text.
    #[test]
    fn sources_add_up(
        numbers in proptest::collection::vec(any::<u16>(), 10..3000),
        num_threads in 1..4usize,
        chunk_bytes in 1..2000usize,
        from in any::<prop::sample::Index>(),
    ) {
        let directory = Directory::new("sources");
        let text = text_of(&numbers);
        let file = TextFile::new("sources.txt", text.as_bytes());
        let splitter = Splitter::new(GPT2_PATTERN).unwrap();
        let mut counter = Counter::new(specials(), splitter.clone(), &limited(num_threads, chunk_bytes, 0, &directory));
        let size = text.len() as u64;
        let cut = first_cut(&file.0, from.index(text.len()) as u64, &specials(), &splitter).unwrap();
        for range in [0..cut, cut..size] {
            if !range.is_empty() {
                prop_assert_eq!(counter.count_file(&file.0, range.clone()).unwrap(), range.end);
            }
        }
        counter.count_stream(text.as_bytes(), Path::new("stream")).unwrap();
        let mut batches = text.split(' ').collect::<Vec<_>>();
        counter.count_documents(|| {
            let mut documents = DocumentBatch::default();
            let num_taken = batches.len().min(100);
            batches.drain(..num_taken).for_each(|document| documents.push(document).unwrap());
            Ok((num_taken > 0).then_some(documents))
        }).unwrap();

        let mut expected = naive(&text, &specials(), &splitter);
        expected.values_mut().for_each(|count| *count *= 2);
        for document in text.split(' ') {
            add(&mut expected, naive(document, &SpecialTokens::new([""; 0]).unwrap(), &splitter));
        }
        prop_assert_eq!(as_map(&written(counter, &directory)), expected);
    }
}

fn add(sum: &mut BTreeMap<Vec<u8>, u64>, counts: BTreeMap<Vec<u8>, u64>) {
    for (word, count) in counts {
        *sum.entry(word).or_default() += count;
    }
}

/// Oracle: counting without a limit. Some hundred runs, merged again and again, are never many at a time.
#[test]
fn many_runs_become_few() {
    let words: Vec<String> = (0..60_000u32)
        .map(|i| format!("w{}", i.wrapping_mul(2_654_435_761) % 40_000))
        .collect();
    let directory = Directory::new("runs");
    let splitter = Splitter::new(r"\S+").unwrap();
    let options = limited(2, 4096, 0, &directory);
    let mut counter = Counter::new(specials(), splitter.clone(), &options);
    let mut batches = words.chunks(500);
    counter
        .count_documents(|| {
            if let [runs] = &directory.names()[..] {
                let num_runs = std::fs::read_dir(directory.0.join(runs)).unwrap().count();
                assert!(num_runs < 3 * 64, "{num_runs} runs at a time");
            }
            let batch = batches.next().map(|batch| batch.join(" "));
            let documents = batch.map(|text| {
                let mut documents = DocumentBatch::default();
                documents.push(&text).map(|()| documents)
            });
            documents.transpose()
        })
        .unwrap();
    let mut expected = naive(&words.join(" "), &specials(), &splitter);
    let spaces = expected.get_mut(&b" "[..]).unwrap();
    *spaces -= 119; // none between two documents
    assert_eq!(as_map(&written(counter, &directory)), expected);
}

/// However a source of text fails, the threads end and its error is returned.
#[test]
fn errors_of_sources_are_passed_on() {
    let mut counter = Counter::new(
        specials(),
        Splitter::new(GPT2_PATTERN).unwrap(),
        &CountOptions {
            num_threads: 3,
            chunk_bytes: 4,
            ..CountOptions::default()
        },
    );
    let mut num_left = 20;
    let stopped = counter.count_documents(|| {
        num_left -= 1;
        if num_left == 0 {
            return Err(BpeError::Interrupted);
        }
        let mut documents = DocumentBatch::default();
        documents.push("some words")?;
        Ok(Some(documents))
    });
    assert!(matches!(stopped, Err(BpeError::Interrupted)));

    let mut counter = Counter::new(
        specials(),
        Splitter::new(GPT2_PATTERN).unwrap(),
        &CountOptions::default(),
    );
    let invalid = [b"good words ".repeat(10), b"\xff".to_vec(), b" more".repeat(1000)].concat();
    let refused = counter.count_stream(&invalid[..], Path::new("a stream"));
    assert!(
        matches!(&refused, Err(BpeError::InvalidUtf8 { place, offset: 110 }) if place == "a stream"),
        "{refused:?}"
    );
}
