//! Training.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homespun_bpe::train::{Merge, Ties, TrainOptions, Trainer};
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
        known_merges: Vec<Merge>,
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
        py.detach(|| Trainer::new(&counts.0, &known_merges, options))
            .map(|trainer| Self(Mutex::new(trainer)))
            .map_err(|error| to_py(py, &error))
    }

    #[getter]
    fn num_tokens(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).num_tokens())
    }

    fn merge<'py>(
        &self,
        py: Python<'py>,
        num_tokens: usize,
        seconds: f64,
        on_progress: Py<PyAny>,
    ) -> PyResult<PyMerges<'py>> {
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let merges = working(py, on_progress, |progress| {
            let mut trainer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            trainer.merge(num_tokens, time, &|done, total| progress.report(done, total))
        })?;
        Ok(merges
            .into_iter()
            .map(|(left, right)| (PyBytes::new(py, &left), PyBytes::new(py, &right)))
            .collect())
    }
}

/// Bytes handed over at a time, about.
const PIECE_BYTES: usize = 1 << 20;

/// Hand all of `counts` to `sink`, piece by piece, in a form that depends on nothing else.
#[pyfunction]
pub fn feed_counts(py: Python<'_>, counts: &PretokenCounts, sink: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut piece = Vec::new();
    for (pretoken, count) in counts.0.iter() {
        piece.extend_from_slice(&(pretoken.len() as u64).to_le_bytes());
        piece.extend_from_slice(pretoken);
        piece.extend_from_slice(&count.to_le_bytes());
        if piece.len() >= PIECE_BYTES {
            sink.call1((PyBytes::new(py, &piece),))?;
            piece.clear();
        }
    }
    sink.call1((PyBytes::new(py, &piece),)).map(drop)
}
