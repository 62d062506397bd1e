//! Files of counts: what was written comes back, and damage of any kind is an error or, behind a recomputed checksum, a file
//! that keeps the format's promises.

use std::path::{Path, PathBuf};

use homespun_bpe::count::{merge_files, read_counts, read_header, verify_counts};
use homespun_bpe::progress::Progress;
use homespun_bpe::BpeError;
use sha2::{Digest, Sha256};

use super::input::Input;

const SHA256_BYTES: usize = 32;

/// The first byte chooses what is made of the rest: a file as it is, one under a good beginning or a good checksum, or
/// entries that are written well and then damaged at one place.
pub fn check(data: &[u8]) {
    let directory = Directory::new();
    let mut input = Input::new(data);
    let choice = input.byte();
    if choice & 1 == 0 {
        let mut file = Vec::new();
        if choice & 2 != 0 {
            file.extend_from_slice(b"hscounts\x01\0\0\0");
        }
        file.extend_from_slice(input.bytes(data.len()));
        check_any(&directory, file, choice & 4 != 0);
        return;
    }
    let [at, by] = [
        usize::from(input.byte()) << 8 | usize::from(input.byte()),
        usize::from(input.byte()),
    ];
    let entries = read_entries(&mut input);
    let good = write(&entries);
    let path = directory.write("good", &good);
    assert_eq!(read_header(&path).unwrap(), b"{}");
    assert_eq!(read(&directory, &path).unwrap(), entries);
    let mut damaged = good;
    let place = at % damaged.len();
    if by == 0 {
        damaged.truncate(place);
    } else {
        damaged[place] ^= by as u8;
    }
    let path = directory.write("damaged", &damaged);
    assert!(verify_counts(&path, &Progress::default()).is_err(), "damage passed by");
    assert!(read(&directory, &path).is_err(), "damage passed by");
    damaged.truncate(damaged.len().saturating_sub(SHA256_BYTES));
    check_any(&directory, damaged, true);
}

/// Whatever the bytes: reading, verifying and merging agree on whether they can be used, and on what they hold.
fn check_any(directory: &Directory, mut file: Vec<u8>, has_checksum: bool) {
    if has_checksum {
        let digest = Sha256::digest(&file);
        file.extend_from_slice(&digest);
    }
    let path = directory.write("any", &file);
    let merged = directory.0.join("merged");
    let verified = verify_counts(&path, &Progress::default());
    match read(directory, &path) {
        Ok(entries) => {
            assert!(entries.windows(2).all(|two| two[0].0 < two[1].0) && entries.iter().all(|entry| entry.1 > 0));
            let sums = verified.unwrap();
            assert_eq!(sums.num_entries, entries.len() as u64);
            assert_eq!(sums.total, entries.iter().map(|entry| entry.1).sum::<u64>());
            assert_eq!(
                merge_files(&[path], &directory.0, &merged, b"", &Progress::default()).unwrap(),
                sums
            );
            assert_eq!(read(directory, &merged).unwrap(), entries);
        }
        Err(_) => {
            assert!(verified.is_err());
            assert!(merge_files(&[path], &directory.0, &merged, b"", &Progress::default()).is_err());
        }
    }
}

type Entry = (Vec<u8>, u64);

fn read(directory: &Directory, path: &Path) -> Result<Vec<Entry>, BpeError> {
    let counts = read_counts(&[path.to_path_buf()], &directory.0, None, &Progress::default())?;
    Ok(counts.iter().map(|(word, count)| (word.to_vec(), count)).collect())
}

/// Ascending entries: for each a byte with its length, its bytes, and a byte that says how large its count is.
fn read_entries(input: &mut Input<'_>) -> Vec<Entry> {
    let mut entries = std::collections::BTreeMap::new();
    while !input.is_empty() {
        let len = usize::from(input.byte() % 24) + 1;
        let word = input.bytes(len).to_vec();
        let size = input.byte();
        if !word.is_empty() {
            entries.insert(word, 1 + (u64::from(size) << (size % 48)));
        }
    }
    entries.into_iter().collect()
}

/// The format, written a second time from its description (docs/design/formats.md).
fn write(entries: &[Entry]) -> Vec<u8> {
    let mut file = b"hscounts\x01\0\0\0\x02\0\0\0{}".to_vec();
    let mut last: &[u8] = &[];
    for (word, count) in entries {
        let shared = last.iter().zip(word).take_while(|(a, b)| a == b).count();
        push_varint(&mut file, shared as u64);
        push_varint(&mut file, (word.len() - shared) as u64);
        file.extend_from_slice(&word[shared..]);
        push_varint(&mut file, *count);
        last = word;
    }
    let num_bytes: usize = entries.iter().map(|(word, _)| word.len()).sum();
    let total: u64 = entries.iter().map(|(_, count)| count).sum();
    for number in [entries.len() as u64, num_bytes as u64, total] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    let digest = Sha256::digest(&file);
    file.extend_from_slice(&digest);
    file
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A directory of this thread's own, gone afterwards.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let name = format!("homespun-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
