//! Files of counts, and where files of text may be cut.

use std::path::PathBuf;

use homespun_bpe::{count, BpeError, SpecialTokens, Splitter};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::counting::PretokenCounts;
use crate::errors::to_py;

/// The header of a file of counts.
#[pyfunction]
pub fn read_counts_header(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    let header = py
        .detach(|| count::read_header(&path))
        .map_err(|error| to_py(py, &error))?;
    Ok(PyBytes::new(py, &header))
}

/// What a file of counts adds up to, every byte of it checked.
#[pyfunction]
pub fn verify_counts(py: Python<'_>, path: PathBuf) -> PyResult<(u64, u64, u64)> {
    let sums = py
        .detach(|| count::verify_counts(&path))
        .map_err(|error| to_py(py, &error))?;
    Ok((sums.num_entries, sums.num_bytes, sums.total))
}

/// The sum of files of counts.
#[pyfunction]
#[pyo3(signature = (paths, directory, max_bytes))]
pub fn read_counts(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    directory: PathBuf,
    max_bytes: Option<usize>,
) -> PyResult<PretokenCounts> {
    py.detach(|| count::read_counts(&paths, &directory, max_bytes))
        .map(PretokenCounts)
        .map_err(|error| to_py(py, &error))
}

/// The sum of files of counts as another.
#[pyfunction]
pub fn merge_counts_files(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    directory: PathBuf,
    out: PathBuf,
    header: &[u8],
) -> PyResult<(u64, u64, u64)> {
    let header = header.to_vec();
    let sums = py
        .detach(|| count::merge_files(&paths, &directory, &out, &header))
        .map_err(|error| to_py(py, &error))?;
    Ok((sums.num_entries, sums.num_bytes, sums.total))
}

/// Where a file may be cut.
#[pyfunction]
pub fn first_cut(
    py: Python<'_>,
    path: PathBuf,
    start: u64,
    special_tokens: Vec<String>,
    pattern: &str,
) -> PyResult<u64> {
    py.detach(|| -> Result<u64, BpeError> {
        let specials = SpecialTokens::new(special_tokens)?;
        count::first_cut(&path, start, &specials, &Splitter::new(pattern)?)
    })
    .map_err(|error| to_py(py, &error))
}
