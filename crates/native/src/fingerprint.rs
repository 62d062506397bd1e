//! The text that a tokenizer's fingerprint is taken over.

use homespun_bpe::{fingerprint, BpeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::errors::to_py;

/// Returns tokens as canonical JSON.
#[pyfunction]
pub fn tokens_as_json<'py>(py: Python<'py>, tokens: Vec<(u32, Bound<'py, PyBytes>)>) -> PyResult<Bound<'py, PyString>> {
    let tokens: Vec<_> = tokens.iter().map(|(id, token)| (*id, token.as_bytes())).collect();
    released_text(py, || fingerprint::tokens_as_json(&tokens))
}

/// Returns merges as canonical JSON.
#[pyfunction]
pub fn merges_as_json<'py>(
    py: Python<'py>,
    merges: Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>,
) -> PyResult<Bound<'py, PyString>> {
    let merges: Vec<_> = merges
        .iter()
        .map(|(left, right)| (left.as_bytes(), right.as_bytes()))
        .collect();
    released_text(py, || fingerprint::merges_as_json(&merges))
}

fn released_text(
    py: Python<'_>,
    make: impl FnOnce() -> Result<String, BpeError> + Send,
) -> PyResult<Bound<'_, PyString>> {
    let text = py.detach(make).map_err(|error| to_py(py, &error))?;
    // A MemoryError where `PyString::new` panics.
    PyString::from_bytes(py, text.as_bytes())
}
