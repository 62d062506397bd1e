//! Counts of pre-tokens, in memory and in files.

use std::path::PathBuf;

use homespun_bpe::count::{self, Sums};
use homespun_bpe::Counts;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::working::working;

/// Pre-tokens with how often each occurs.
#[pyclass(frozen, module = "homespun._native")]
pub struct PretokenCounts(pub Counts);

#[pymethods]
impl PretokenCounts {
    #[new]
    fn new(counts: &Bound<'_, PyAny>) -> PyResult<Self> {
        let pairs = counts
            .try_iter()?
            .map(|pair| pair?.extract::<(Vec<u8>, u64)>())
            .collect::<PyResult<Vec<_>>>()?;
        Ok(Self(Counts::from_pairs(pairs)))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn total(&self) -> u64 {
        self.0.total()
    }

    #[getter]
    fn memory_bytes(&self) -> usize {
        Counts::memory_bytes(self.0.len(), self.0.num_bytes())
    }

    #[getter]
    fn num_bytes(&self) -> usize {
        self.0.num_bytes()
    }

    fn items<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, u64)> {
        self.0
            .iter()
            .map(|(pretoken, count)| (PyBytes::new(py, pretoken), count))
            .collect()
    }
}

/// Distinct pre-tokens, their bytes, and occurrences.
pub type PySums = (u64, u64, u64);

/// Sums as Python has them.
pub fn to_py_sums(sums: Sums) -> PySums {
    (sums.num_entries, sums.num_bytes, sums.total)
}

/// Returns the header of a file of counts.
#[pyfunction]
pub fn read_counts_header(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    let header = py
        .detach(|| count::read_header(&path))
        .map_err(|error| to_py(py, &error))?;
    Ok(PyBytes::new(py, &header))
}

/// Returns what a file of counts adds up to, every byte of it checked.
#[pyfunction]
pub fn verify_counts(py: Python<'_>, path: PathBuf) -> PyResult<PySums> {
    working(py, None, |progress| count::verify_counts(&path, progress)).map(to_py_sums)
}

/// Returns the sum of files of counts.
#[pyfunction]
#[pyo3(signature = (paths, directory, max_bytes))]
pub fn read_counts(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    directory: PathBuf,
    max_bytes: Option<usize>,
) -> PyResult<PretokenCounts> {
    working(py, None, |progress| {
        count::read_counts(&paths, &directory, max_bytes, progress)
    })
    .map(PretokenCounts)
}

/// Writes the sum of files of counts to another.
#[pyfunction]
pub fn merge_counts_files(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    directory: PathBuf,
    out: PathBuf,
    header: &[u8],
) -> PyResult<PySums> {
    working(py, None, |progress| {
        count::merge_files(&paths, &directory, &out, header, progress)
    })
    .map(to_py_sums)
}
