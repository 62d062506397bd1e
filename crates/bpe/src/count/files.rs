//! Files of counts, merged and read.

use std::path::{Path, PathBuf};

use super::budget::FAN_IN;
use super::counts::Counts;
use super::entries::Entries;
use super::file::Sums;
use super::reader::CountsReader;
use super::runs::{write_merged, Runs};
use crate::error::BpeError;
use crate::progress::Progress;

/// The header of a file of counts, as its writer gave it. Whether the file is whole is seen only when its counts are read.
///
/// # Errors
///
/// [`BpeError::Io`], [`BpeError::DamagedCounts`], [`BpeError::OtherCountsVersion`].
pub fn read_header(path: &Path) -> Result<Vec<u8>, BpeError> {
    Ok(CountsReader::open(path)?.into_header())
}

/// Reads a whole file of counts; what its entries add up to.
///
/// # Errors
///
/// As [`read_header`], for any byte that is not as it was written.
pub fn verify_counts(path: &Path, progress: &Progress) -> Result<Sums, BpeError> {
    CountsReader::open(path)?.verify(progress)
}

/// The counts of several files, added up, if that takes no more memory than `max_bytes`.
///
/// Of many files some are merged first, in a directory of their own in `spill_directory`.
///
/// # Errors
///
/// [`BpeError::Io`], [`BpeError::DamagedCounts`] for any file that is not as it was written,
/// [`BpeError::OtherCountsVersion`], [`BpeError::CountTooLarge`], and [`BpeError::CountsExceedMemory`].
pub fn read_counts(
    paths: &[PathBuf],
    spill_directory: &Path,
    max_bytes: Option<usize>,
    progress: &Progress,
) -> Result<Counts, BpeError> {
    let mut runs = Runs::new(spill_directory);
    Counts::merge(
        open_few(paths, &mut runs, progress)?,
        max_bytes.unwrap_or(usize::MAX),
        progress,
    )
}

/// Adds up several files of counts into another, with `header` at its beginning, without holding all of them.
///
/// # Errors
///
/// As [`read_counts`].
pub fn merge_files(
    paths: &[PathBuf],
    spill_directory: &Path,
    out: &Path,
    header: &[u8],
    progress: &Progress,
) -> Result<Sums, BpeError> {
    let mut runs = Runs::new(spill_directory);
    write_merged(open_few(paths, &mut runs, progress)?, out, header, true, progress)
}

/// Opens `paths`, or runs that add up to the same where those are too many to be read at a time.
fn open_few(paths: &[PathBuf], runs: &mut Runs, progress: &Progress) -> Result<Vec<Box<dyn Entries>>, BpeError> {
    let open = |path: &PathBuf| Ok(Box::new(CountsReader::open(path)?) as Box<dyn Entries>);
    if paths.len() <= FAN_IN {
        return paths.iter().map(open).collect();
    }
    for group in paths.chunks(FAN_IN) {
        let sources = group.iter().map(open).collect::<Result<_, _>>()?;
        let path = runs.new_path()?;
        write_merged(sources, &path, b"", false, progress)?;
        runs.push(path, progress)?;
    }
    runs.reduce(0, progress)?;
    runs.open()
}
