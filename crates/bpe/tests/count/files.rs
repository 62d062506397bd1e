//! Files of counts: written, read, merged, and refused.

use homespun_bpe::count::{merge_files, read_counts, read_header, CountOptions, Counter, Counts, DocumentBatch};
use homespun_bpe::progress::Progress;
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::helpers::{as_map, Directory};

/// Writes a file of counts of `words`, each of them a pre-token.
fn write(path: &std::path::Path, words: &[String], header: &[u8]) {
    let mut counter = Counter::new(
        SpecialTokens::new([""; 0]).unwrap(),
        Splitter::new(r"(?s:.+)").unwrap(),
        &CountOptions::default(),
    );
    let mut left = Some(words);
    counter
        .count_documents(|| {
            let mut documents = DocumentBatch::default();
            Ok(left.take().map(|words| {
                words.iter().for_each(|word| documents.push(word).unwrap());
                documents
            }))
        })
        .unwrap();
    counter.write(path, header).unwrap();
}

fn counts_of(words: &[String]) -> Counts {
    Counts::from_pairs(words.iter().map(|word| (word, 1)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Oracle: the words themselves, sorted and added up by a map; more files than are read at a time are no different.
    #[test]
    fn files_hold_what_was_counted(
        files in proptest::collection::vec(proptest::collection::vec("[ab]{1,20}|\\PC{1,3}|(word){3,9}", 0..40), 1..150),
        header in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let directory = Directory::new("files");
        let paths: Vec<_> = (0..files.len()).map(|index| directory.0.join(format!("{index}.counts"))).collect();
        for (path, words) in paths.iter().zip(&files) {
            write(path, words, &header);
            prop_assert_eq!(&read_header(path).unwrap(), &header);
        }
        let expected = as_map(&counts_of(&files.concat()));
        prop_assert_eq!(as_map(&read_counts(&paths, &directory.0, None, &Progress::default()).unwrap()), expected.clone());
        let merged = directory.0.join("merged.counts");
        let sums = merge_files(&paths, &directory.0, &merged, b"another", &Progress::default()).unwrap();
        prop_assert_eq!((sums.num_entries, sums.total), (expected.len() as u64, expected.values().sum()));
        prop_assert_eq!(read_header(&merged).unwrap(), b"another");
        prop_assert_eq!(as_map(&read_counts(&[merged], &directory.0, None, &Progress::default()).unwrap()), expected);
        prop_assert_eq!(directory.names().len(), files.len() + 1);
    }

    /// Whatever stands in a file under a good checksum, reading it ends, in counts that are in order or in an error.
    #[test]
    fn nonsense_is_no_trouble(
        at in any::<prop::sample::Index>(),
        nonsense in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let directory = Directory::new("nonsense");
        let path = directory.0.join("nonsense.counts");
        write(&path, &["one".into(), "two".into(), "twofold".into(), "three".into()], b"{}");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 32);
        let start = 8 + at.index(bytes.len() - 8);
        let end = bytes.len().min(start + nonsense.len());
        bytes.splice(start..end, nonsense);
        bytes.extend_from_slice(&Sha256::digest(&bytes));
        std::fs::write(&path, bytes).unwrap();
        if let Ok(counts) = read_counts(&[path], &directory.0, None, &Progress::default()) {
            as_map(&counts);
        }
    }
}

/// Oracle: there is only one file with the same sha256. Every bit, every shorter file, and one byte more.
#[test]
fn any_damage_is_noticed() {
    let directory = Directory::new("damage");
    let path = directory.0.join("damaged.counts");
    let words: Vec<String> = (0..40).map(|i| format!("word{}", i * i % 31)).collect();
    write(&path, &words, b"{\"a\":1}");
    let intact = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_counts(std::slice::from_ref(&path), &directory.0, None, &Progress::default())
    };
    assert!(read(&intact).is_ok());
    for bit in 0..8 * intact.len() {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = read(&bytes);
        assert!(
            matches!(
                refused,
                Err(BpeError::DamagedCounts { .. } | BpeError::OtherCountsVersion { .. })
            ),
            "bit {bit}: {refused:?}"
        );
    }
    for len in 0..intact.len() {
        assert!(
            matches!(read(&intact[..len]), Err(BpeError::DamagedCounts { .. })),
            "{len} bytes"
        );
    }
    assert!(matches!(
        read(&[&intact[..], b"\0"].concat()),
        Err(BpeError::DamagedCounts { .. })
    ));
}

/// Oracle: the format as docs/design/formats.md tells it, by hand.
#[test]
fn the_format_is_golden() {
    let directory = Directory::new("golden");
    let path = directory.0.join("golden.counts");
    write(&path, &["ab".into(), "abc".into(), "b".into(), "ab".into()], b"{}");
    let mut expected = b"hscounts\x01\0\0\0\x02\0\0\0{}".to_vec();
    expected.extend_from_slice(b"\0\x02ab\x02"); // nothing shared, 2 bytes more: ab, twice
    expected.extend_from_slice(b"\x02\x01c\x01"); // 2 bytes shared, 1 more: abc, once
    expected.extend_from_slice(b"\0\x01b\x01");
    for sum in [3u64, 6, 4] {
        expected.extend_from_slice(&sum.to_le_bytes());
    }
    expected.extend_from_slice(&Sha256::digest(&expected));
    assert_eq!(std::fs::read(path).unwrap(), expected);
}

/// Oracle: arithmetic: 16 bytes and its own for every pre-token.
#[test]
fn counts_that_do_not_fit_are_refused_with_their_size() {
    let directory = Directory::new("too-large");
    let path = directory.0.join("large.counts");
    let words: Vec<String> = (0..1000).map(|i| format!("{i:04}")).collect();
    write(&path, &words, b"{}");
    assert_eq!(
        read_counts(
            std::slice::from_ref(&path),
            &directory.0,
            Some(20_000),
            &Progress::default()
        )
        .unwrap()
        .len(),
        1000
    );
    assert!(matches!(
        read_counts(&[path], &directory.0, Some(19_999), &Progress::default()),
        Err(BpeError::CountsExceedMemory {
            needed: 20_000,
            max_bytes: 19_999
        })
    ));
}
