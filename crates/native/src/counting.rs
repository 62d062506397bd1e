//! Splitting and counting.

use std::path::PathBuf;

use homespun_bpe::count::{count_file, CountOptions};
use homespun_bpe::{BpeError, Counts, SpecialTokens, Splitter};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::progress::working;

/// The pre-tokens of a text.
#[pyfunction]
pub fn split(py: Python<'_>, text: &str, pattern: &str) -> PyResult<Vec<String>> {
    py.detach(|| {
        let ranges = Splitter::new(pattern)?.split(text)?;
        Ok(ranges.into_iter().map(|range| text[range].to_owned()).collect())
    })
    .map_err(|error: BpeError| to_py(py, &error))
}

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

    fn items<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, u64)> {
        self.0
            .iter()
            .map(|(pretoken, count)| (PyBytes::new(py, pretoken), count))
            .collect()
    }
}

/// Count the pre-tokens of a file.
#[pyfunction]
pub fn count_pretokens(
    py: Python<'_>,
    path: PathBuf,
    special_tokens: Vec<String>,
    pattern: &str,
    num_threads: usize,
    chunk_bytes: usize,
    on_progress: Py<PyAny>,
) -> PyResult<PretokenCounts> {
    let options = CountOptions {
        num_threads,
        chunk_bytes,
    };
    working(py, on_progress, |progress| {
        let specials = SpecialTokens::new(special_tokens)?;
        let splitter = Splitter::new(pattern)?;
        count_file(&path, &specials, &splitter, options, &|done, total| {
            progress.report(done, total)
        })
    })
    .map(PretokenCounts)
}
