//! Splitting, and what counting comes to.

use homespun_bpe::{BpeError, Counts, Splitter};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;

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
