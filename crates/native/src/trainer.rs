//! Training.

use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homespun_bpe::train::{memory_bytes, Merge, Ties, TrainOptions, Trainer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::counts::PretokenCounts;
use crate::errors::spent;
use crate::working::working;

type PyMerges<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Training that can be carried on; nothing after an error, which may have come in the middle of a merge.
#[pyclass(frozen, module = "homespun._native")]
pub struct MergeTrainer(Mutex<Option<Trainer>>);

#[pymethods]
impl MergeTrainer {
    #[new]
    fn new(
        py: Python<'_>,
        counts: &PretokenCounts,
        known_merges: Vec<(Vec<u8>, Vec<u8>)>,
        ties: &str,
        special_tokens: Vec<Vec<u8>>,
        num_threads: usize,
    ) -> PyResult<Self> {
        let ties = match ties {
            "bytes" => Ties::Bytes,
            "ids" => Ties::Ids { special_tokens },
            other => {
                return Err(PyValueError::new_err(format!(
                    "ties = {other:?} is neither \"bytes\" nor \"ids\""
                )))
            }
        };
        let options = TrainOptions { ties, num_threads };
        let known: Vec<Merge> = known_merges
            .into_iter()
            .map(|(left, right)| (left.into(), right.into()))
            .collect();
        working(py, None, |progress| Trainer::new(&counts.0, &known, options, progress))
            .map(|trainer| Self(Mutex::new(Some(trainer))))
    }

    #[getter]
    fn num_tokens(&self, py: Python<'_>) -> PyResult<usize> {
        let num_tokens = py.detach(|| self.lock().as_ref().map(Trainer::num_tokens));
        num_tokens.ok_or_else(|| spent("trainer"))
    }

    fn merge<'py>(&self, py: Python<'py>, num_tokens: usize, on_progress: Py<PyAny>) -> PyResult<PyMerges<'py>> {
        let merges = py
            .detach(|| self.lock().take())
            .ok_or_else(|| spent("trainer"))
            .and_then(|mut trainer| {
                working(py, Some(&on_progress), |progress| {
                    let merges = trainer.merge(num_tokens, progress)?;
                    *self.lock() = Some(trainer);
                    Ok(merges)
                })
            })?;
        // One object a token: some are as long as the text.
        let mut objects: HashMap<*const u8, Bound<'_, PyBytes>> = HashMap::new();
        let mut object = |token: &Arc<[u8]>| -> PyResult<_> {
            Ok(match objects.entry(token.as_ptr()) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(bytes_of(py, token)?).clone(),
            })
        };
        merges
            .iter()
            .map(|(left, right)| Ok((object(left)?, object(right)?)))
            .collect()
    }
}

impl MergeTrainer {
    fn lock(&self) -> MutexGuard<'_, Option<Trainer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies a token, with a MemoryError where [`PyBytes::new`] panics.
fn bytes_of<'py>(py: Python<'py>, token: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, token.len(), |bytes| {
        bytes.copy_from_slice(token);
        Ok(())
    })
}

/// Returns what merging takes at most, in bytes.
#[pyfunction]
pub fn merge_memory_bytes(counts: &PretokenCounts, num_tokens: usize, num_threads: usize, has_known: bool) -> usize {
    memory_bytes(&counts.0, num_tokens, num_threads, has_known)
}
