//! Training.

use homespun_bpe::train::train;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::counting::PretokenCounts;
use crate::progress::working;

/// Train merges from counts.
#[pyfunction]
pub fn train_merges<'py>(
    py: Python<'py>,
    counts: &PretokenCounts,
    num_tokens: usize,
    num_threads: usize,
    on_progress: Py<PyAny>,
) -> PyResult<Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
    let _ = num_threads; // one thread merges today; the result is the same for any number
    let merges = working(py, on_progress, |progress| {
        train(&counts.0, num_tokens, &|done, total| progress.report(done, total))
    })?;
    Ok(merges
        .into_iter()
        .map(|(left, right)| (PyBytes::new(py, &left), PyBytes::new(py, &right)))
        .collect())
}
