//! Training.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use homespun_bpe::train::{memory_bytes, Merge, Ties, TrainOptions, Trainer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::counting::PretokenCounts;
use crate::errors::to_py;
use crate::progress::working;

type PyMerges<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Training that can be carried on.
#[pyclass(frozen, module = "homespun._native")]
pub struct MergeTrainer(Mutex<Trainer>);

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
        py.detach(|| Trainer::new(&counts.0, &known, options))
            .map(|trainer| Self(Mutex::new(trainer)))
            .map_err(|error| to_py(py, &error))
    }

    #[getter]
    fn num_tokens(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).num_tokens())
    }

    fn merge<'py>(&self, py: Python<'py>, num_tokens: usize, on_progress: Py<PyAny>) -> PyResult<PyMerges<'py>> {
        let merges = working(py, on_progress, |progress| {
            let mut trainer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            trainer.merge(num_tokens, &|done, total| progress.report(done, total))
        })?;
        // One object a token: some are as long as the text.
        let mut objects: HashMap<*const u8, Bound<'_, PyBytes>> = HashMap::new();
        let mut object = |token: &Arc<[u8]>| {
            let object = objects.entry(token.as_ptr()).or_insert_with(|| PyBytes::new(py, token));
            object.clone()
        };
        Ok(merges
            .iter()
            .map(|(left, right)| (object(left), object(right)))
            .collect())
    }
}

/// What merging takes at most, in bytes.
#[pyfunction]
pub fn merge_memory_bytes(counts: &PretokenCounts, num_tokens: usize, num_threads: usize, has_known: bool) -> usize {
    memory_bytes(&counts.0, num_tokens, num_threads, has_known)
}
