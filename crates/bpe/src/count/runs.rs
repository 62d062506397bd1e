//! Sorted counts put aside on disk, because memory or the process may come to an end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::entries::{merge, Entries};
use super::file::{io_error, Sums};
use super::reader::CountsReader;
use super::writer::CountsWriter;
use crate::error::BpeError;

const PREFIX: &str = "run-";
const SUFFIX: &str = ".counts";

/// A file of counts in the directory of [`Runs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// Its name there.
    pub name: String,
    /// How often its entries have been merged: what is merged has one level, so that nothing is copied too often.
    pub level: u32,
}

/// The runs of a directory that is theirs alone.
///
/// As soon as `fan_in` of them have one level they become one of the next, so that there are never many. Runs that were
/// [kept](Runs::keep) stay on disk until others are.
pub(super) struct Runs {
    directory: PathBuf,
    runs: Vec<Run>,
    kept: HashSet<Run>,
    next: u64,
    fan_in: usize,
    /// Whether the directory goes when this does.
    is_temporary: bool,
}

impl Runs {
    /// None yet, to be put into a directory of their own inside `parent`, which is made for the first of them and removed
    /// in the end.
    pub fn temporary(parent: &Path, fan_in: usize) -> Self {
        Self {
            directory: parent.to_path_buf(),
            runs: Vec::new(),
            kept: HashSet::new(),
            next: 0,
            fan_in,
            is_temporary: true,
        }
    }

    /// Goes on in `directory` with the runs that were kept there, each of which is read to see whether it is whole. Other
    /// runs are removed.
    pub fn resume(directory: &Path, kept: Vec<Run>, fan_in: usize) -> Result<Self, BpeError> {
        std::fs::create_dir_all(directory).map_err(io_error(directory))?;
        let mut runs = Self::temporary(directory, fan_in);
        runs.is_temporary = false;
        for run in &kept {
            CountsReader::open(&directory.join(&run.name))?.verify()?;
            let number = run.name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
            runs.next = runs.next.max(
                number
                    .and_then(|digits| digits.parse().ok())
                    .map_or(0, |number: u64| number + 1),
            );
        }
        runs.kept = kept.iter().cloned().collect();
        runs.runs = kept;
        runs.remove_all_but_kept()?;
        Ok(runs)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The file for a new run.
    pub fn new_path(&mut self) -> Result<PathBuf, BpeError> {
        if self.is_temporary && self.next == 0 {
            self.directory = create_unique_directory(&self.directory)?;
        }
        self.next += 1;
        Ok(self.directory.join(format!("{PREFIX}{:06}{SUFFIX}", self.next - 1)))
    }

    /// Takes a run that was written to a [new path](Runs::new_path), and merges where there are enough.
    pub fn push(&mut self, path: &Path) -> Result<(), BpeError> {
        self.push_at(path, 0);
        let mut level = 0;
        while self.runs.iter().filter(|run| run.level == level).count() >= self.fan_in {
            let (merged, others) = std::mem::take(&mut self.runs)
                .into_iter()
                .partition(|run| run.level == level);
            self.runs = others;
            level += 1;
            self.merge(merged, level)?;
        }
        Ok(())
    }

    /// Merges until so few are left that all can be read at a time beside `num_others` sources.
    pub fn reduce(&mut self, num_others: usize) -> Result<(), BpeError> {
        let most = self.fan_in.saturating_sub(num_others).max(1);
        while self.runs.len() > most {
            // The smallest first: the levels say how much is in them.
            self.runs.sort_by_key(|run| run.level);
            let num_merged = self.fan_in.min(self.runs.len() - most + 1);
            let level = self.runs[num_merged - 1].level + 1;
            let merged = self.runs.drain(..num_merged).collect();
            self.merge(merged, level)?;
        }
        Ok(())
    }

    /// All runs, to be read.
    pub fn open(&self) -> Result<Vec<Box<dyn Entries>>, BpeError> {
        open(&self.directory, &self.runs)
    }

    /// Makes the runs of now those that [`Runs::resume`] may be given. The others may go only once it is written down which
    /// these are: see [`Runs::remove_all_but_kept`].
    pub fn keep(&mut self) -> &[Run] {
        self.kept = self.runs.iter().cloned().collect();
        &self.runs
    }

    /// Removes the files of runs that were merged into others, or that an interrupted process left.
    pub fn remove_all_but_kept(&self) -> Result<(), BpeError> {
        let entries = std::fs::read_dir(&self.directory).map_err(io_error(&self.directory))?;
        for entry in entries {
            let name = entry.map_err(io_error(&self.directory))?.file_name();
            let name = name.to_string_lossy();
            let is_run = name.starts_with(PREFIX) && name.ends_with(SUFFIX);
            if is_run && !self.kept.iter().any(|run| run.name == name) {
                remove(&self.directory.join(name.as_ref()))?;
            }
        }
        Ok(())
    }

    fn push_at(&mut self, path: &Path, level: u32) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.runs.push(Run { name, level });
    }

    /// Merges `runs`, which are no longer among these, into one of `level`.
    fn merge(&mut self, runs: Vec<Run>, level: u32) -> Result<(), BpeError> {
        let path = self.new_path()?;
        // What resuming relies on has to be on the disk before what it is made of goes.
        write_merged(open(&self.directory, &runs)?, &path, b"", !self.is_temporary)?;
        self.push_at(&path, level);
        for run in runs.iter().filter(|run| !self.kept.contains(run)) {
            remove(&self.directory.join(&run.name))?;
        }
        Ok(())
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        if self.is_temporary && self.next > 0 {
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
) -> Result<Sums, BpeError> {
    let mut writer = CountsWriter::create(path, header)?;
    merge(sources, |word, count| writer.append(word, count))?;
    writer.finish(is_durable)
}

fn open(directory: &Path, runs: &[Run]) -> Result<Vec<Box<dyn Entries>>, BpeError> {
    let open_run = |run: &Run| Ok(Box::new(CountsReader::open(&directory.join(&run.name))?) as Box<dyn Entries>);
    runs.iter().map(open_run).collect()
}

fn remove(path: &Path) -> Result<(), BpeError> {
    std::fs::remove_file(path).map_err(io_error(path))
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
