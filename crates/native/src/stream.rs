//! Encoding text that arrives in chunks.

use std::sync::{Mutex, PoisonError};

use homespun_bpe::BpeError;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::working::released;

/// Encodes text that arrives in chunks.
#[pyclass(frozen, module = "homespun._native")]
pub struct EncodeStream(Mutex<homespun_bpe::EncodeStream>);

#[pymethods]
impl EncodeStream {
    fn push<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyArray1<u32>>> {
        self.advance(py, text.len(), |stream, ids| stream.push(text, ids))
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        self.advance(py, 0, homespun_bpe::EncodeStream::finish)
    }
}

impl EncodeStream {
    pub fn new(stream: homespun_bpe::EncodeStream) -> Self {
        Self(Mutex::new(stream))
    }

    fn advance<'py>(
        &self,
        py: Python<'py>,
        num_bytes: usize,
        step: impl FnOnce(&mut homespun_bpe::EncodeStream, &mut Vec<u32>) -> Result<(), BpeError> + Send,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let num_bytes_held = self.0.try_lock().map_or(0, |stream| stream.num_bytes_held());
        let ids = released(py, num_bytes + num_bytes_held, |progress| {
            // The lock is taken without the interpreter, so that a thread waiting for it stops no other.
            let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stream.progress = progress.clone();
            let mut ids = Vec::new();
            step(&mut stream, &mut ids).map(|()| ids)
        })?;
        Ok(ids.into_pyarray(py))
    }
}
