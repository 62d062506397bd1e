//! The text that a tokenizer's fingerprint is taken over.

use homespun_bpe::fingerprint;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Tokens as canonical JSON.
#[pyfunction]
pub fn tokens_as_json(py: Python<'_>, tokens: Vec<(u32, Bound<'_, PyBytes>)>) -> String {
    let tokens: Vec<_> = tokens.iter().map(|(id, token)| (*id, token.as_bytes())).collect();
    py.detach(|| fingerprint::tokens_as_json(&tokens))
}

/// Merges as canonical JSON.
#[pyfunction]
pub fn merges_as_json(py: Python<'_>, merges: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)>) -> String {
    let merges: Vec<_> = merges
        .iter()
        .map(|(left, right)| (left.as_bytes(), right.as_bytes()))
        .collect();
    py.detach(|| fingerprint::merges_as_json(&merges))
}
