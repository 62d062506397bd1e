//! Sorted counts spilled to disk when memory is full.

use std::path::{Path, PathBuf};

use super::budget::FAN_IN;
use super::entries::{merge, Entries};
use super::file::{io_error, Sums};
use super::reader::CountsReader;
use super::writer::CountsWriter;
use crate::error::BpeError;
use crate::progress::Progress;

/// A file of counts in the directory of [`Runs`].
struct Run {
    path: PathBuf,
    /// How often its entries have been merged: what is merged has one level, so that nothing is copied too often.
    level: u32,
}

/// Runs in a directory of their own inside another, made for the first of them and removed with this.
///
/// As soon as [`FAN_IN`] of them have one level they become one of the next, so that there are never many.
pub(super) struct Runs {
    directory: PathBuf,
    runs: Vec<Run>,
    next: u64,
}

impl Runs {
    /// None yet; the directory will be made inside `parent`.
    pub fn new(parent: &Path) -> Self {
        Self {
            directory: parent.to_path_buf(),
            runs: Vec::new(),
            next: 0,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The file for a new run.
    pub fn new_path(&mut self) -> Result<PathBuf, BpeError> {
        if self.next == 0 {
            self.directory = create_unique_directory(&self.directory)?;
        }
        self.next += 1;
        Ok(self.directory.join(format!("run-{:06}.counts", self.next - 1)))
    }

    /// Takes a run that was written to a [new path](Runs::new_path), and merges where there are enough.
    pub fn push(&mut self, path: PathBuf, progress: &Progress) -> Result<(), BpeError> {
        self.runs.push(Run { path, level: 0 });
        let mut level = 0;
        while self.runs.iter().filter(|run| run.level == level).count() >= FAN_IN {
            let (merged, others) = std::mem::take(&mut self.runs)
                .into_iter()
                .partition(|run| run.level == level);
            self.runs = others;
            level += 1;
            self.merge(merged, level, progress)?;
        }
        Ok(())
    }

    /// Merges until so few are left that all can be read at a time beside `num_others` sources.
    pub fn reduce(&mut self, num_others: usize, progress: &Progress) -> Result<(), BpeError> {
        let most = FAN_IN.saturating_sub(num_others).max(1);
        while self.runs.len() > most {
            // The smallest first: the levels say how much is in them.
            self.runs.sort_by_key(|run| run.level);
            let num_merged = FAN_IN.min(self.runs.len() - most + 1);
            let level = self.runs[num_merged - 1].level + 1;
            let merged = self.runs.drain(..num_merged).collect();
            self.merge(merged, level, progress)?;
        }
        Ok(())
    }

    /// All runs, to be read.
    pub fn open(&self) -> Result<Vec<Box<dyn Entries>>, BpeError> {
        open(&self.runs)
    }

    /// Merges `runs`, which are no longer among these, into one of `level`.
    fn merge(&mut self, runs: Vec<Run>, level: u32, progress: &Progress) -> Result<(), BpeError> {
        let path = self.new_path()?;
        write_merged(open(&runs)?, &path, b"", false, progress)?;
        self.runs.push(Run { path, level });
        for run in runs {
            std::fs::remove_file(&run.path).map_err(io_error(&run.path))?;
        }
        Ok(())
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        if self.next > 0 {
            // Nothing can be done about a directory that will not go, least of all while unwinding.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// Writes the sums of `sources` to a file of counts.
pub(super) fn write_merged(
    sources: Vec<Box<dyn Entries + '_>>,
    path: &Path,
    header: &[u8],
    is_durable: bool,
    progress: &Progress,
) -> Result<Sums, BpeError> {
    let mut writer = CountsWriter::create(path, header)?;
    merge(sources, progress, |word, count| writer.append(word, count))?;
    writer.finish(is_durable)
}

fn open(runs: &[Run]) -> Result<Vec<Box<dyn Entries>>, BpeError> {
    let open_run = |run: &Run| Ok(Box::new(CountsReader::open(&run.path)?) as Box<dyn Entries>);
    runs.iter().map(open_run).collect()
}

fn create_unique_directory(parent: &Path) -> Result<PathBuf, BpeError> {
    let mut number = 0;
    loop {
        let directory = parent.join(format!("homespun-counts-{}-{number}", std::process::id()));
        match std::fs::create_dir(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(io_error(&directory)(error)),
        }
    }
}
