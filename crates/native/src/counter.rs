//! Counting what Python names or reads.

use std::io::Read;
use std::path::PathBuf;

use homespun_bpe::count::{CountOptions, Counter as CoreCounter, Documents};
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyIterator;

use crate::counting::PretokenCounts;
use crate::errors::to_py;
use crate::progress::working;

/// The counts of several texts together, as they come in.
#[pyclass(module = "homespun._native")]
pub struct Counter(Option<CoreCounter>);

#[pymethods]
impl Counter {
    #[new]
    fn new(
        py: Python<'_>,
        special_tokens: Vec<String>,
        pattern: &str,
        num_threads: usize,
        chunk_bytes: usize,
        max_memory_bytes: Option<usize>,
        spill_directory: PathBuf,
    ) -> PyResult<Self> {
        let made = py.detach(|| {
            let specials = SpecialTokens::new(special_tokens)?;
            let splitter = Splitter::new(pattern)?;
            let options = CountOptions {
                num_threads,
                chunk_bytes,
                max_memory_bytes,
                spill_directory,
            };
            Ok(CoreCounter::new(specials, splitter, &options))
        });
        made.map(|core| Self(Some(core))).map_err(|error| to_py(py, &error))
    }

    fn count_file(
        &mut self,
        py: Python<'_>,
        path: PathBuf,
        start: u64,
        end: u64,
        on_progress: Py<PyAny>,
    ) -> PyResult<u64> {
        let core = self.core()?;
        working(py, on_progress, |progress| {
            core.count_file(&path, start..end, &|done, total| progress.report(done, total))
        })
    }

    fn count_text(&mut self, py: Python<'_>, chunks: &Bound<'_, PyAny>, place: PathBuf) -> PyResult<()> {
        let core = self.core()?;
        let mut source = Pieces {
            iterator: chunks.try_iter()?.unbind(),
            piece: None,
            failure: None,
        };
        let counted = py.detach(|| core.count_stream(&mut source, &place));
        source
            .failure
            .map_or_else(|| counted.map_err(|error| to_py(py, &error)), Err)
    }

    fn count_documents(&mut self, py: Python<'_>, batches: &Bound<'_, PyAny>) -> PyResult<()> {
        let core = self.core()?;
        let iterator = batches.try_iter()?.unbind();
        let mut failure = None;
        let counted = py.detach(|| {
            core.count_documents(|| {
                Python::attach(|py| next_documents(py, &iterator)).map_err(|error| {
                    failure = Some(error);
                    BpeError::Interrupted
                })
            })
        });
        failure.map_or_else(|| counted.map_err(|error| to_py(py, &error)), Err)
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<PretokenCounts> {
        let core = self.take_core()?;
        let counts = py.detach(|| core.finish()).map_err(|error| to_py(py, &error))?;
        Ok(PretokenCounts(counts))
    }

    fn write(&mut self, py: Python<'_>, path: PathBuf, header: &[u8]) -> PyResult<(u64, u64, u64)> {
        let core = self.take_core()?;
        let header = header.to_vec();
        let sums = py
            .detach(|| core.write(&path, &header))
            .map_err(|error| to_py(py, &error))?;
        Ok((sums.num_entries, sums.num_bytes, sums.total))
    }
}

impl Counter {
    fn core(&mut self) -> PyResult<&mut CoreCounter> {
        self.0.as_mut().ok_or_else(finished)
    }

    fn take_core(&mut self) -> PyResult<CoreCounter> {
        self.0.take().ok_or_else(finished)
    }
}

fn finished() -> PyErr {
    PyRuntimeError::new_err("this counter has given its counts away; make another")
}

/// The next batch, as text of ours, so that counting needs no interpreter.
fn next_documents(py: Python<'_>, iterator: &Py<PyIterator>) -> PyResult<Option<Documents>> {
    let Some(batch) = iterator.bind(py).clone().next() else {
        return Ok(None);
    };
    let mut documents = Documents::default();
    for document in batch?.try_iter()? {
        documents.push(&document?.extract::<PyBackedStr>()?);
    }
    Ok(Some(documents))
}

/// Reads the bytes that a Python iterator gives; what it raises is kept beside.
struct Pieces {
    iterator: Py<PyIterator>,
    piece: Option<(PyBackedBytes, usize)>,
    failure: Option<PyErr>,
}

impl Pieces {
    fn next_piece(&mut self) -> PyResult<Option<PyBackedBytes>> {
        Python::attach(|py| match self.iterator.bind(py).clone().next() {
            Some(piece) => piece?.extract().map(Some).map_err(PyErr::from),
            None => Ok(None),
        })
    }
}

impl Read for Pieces {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some((piece, used)) = &mut self.piece {
                let len = bytes.len().min(piece.len() - *used);
                if len > 0 || bytes.is_empty() {
                    bytes[..len].copy_from_slice(&piece[*used..*used + len]);
                    *used += len;
                    return Ok(len);
                }
            }
            match self.next_piece() {
                Ok(Some(piece)) => self.piece = Some((piece, 0)),
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.failure = Some(error);
                    return Err(std::io::Error::other("the iterator of pieces failed"));
                }
            }
        }
    }
}
