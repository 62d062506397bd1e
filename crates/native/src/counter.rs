//! Counting what Python names or reads.

use std::io::Read;
use std::path::PathBuf;

use homespun_bpe::count::{CountOptions, Counter as CoreCounter, Documents, Run};
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyIterator};

use crate::counting::PretokenCounts;
use crate::errors::to_py;
use crate::progress::working;

/// The counts of several texts together, as they come in.
#[pyclass(module = "homespun._native")]
pub struct Counter(Option<CoreCounter>);

#[pymethods]
impl Counter {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    #[pyo3(signature = (special_tokens, pattern, num_threads, chunk_bytes, max_memory_bytes, directory, kept))]
    fn new(
        py: Python<'_>,
        special_tokens: Vec<String>,
        pattern: &str,
        num_threads: usize,
        chunk_bytes: usize,
        max_memory_bytes: Option<usize>,
        directory: PathBuf,
        kept: Option<Vec<(String, u32)>>,
    ) -> PyResult<Self> {
        let made = py.detach(|| {
            let specials = SpecialTokens::new(special_tokens)?;
            let splitter = Splitter::new(pattern)?;
            let options = CountOptions {
                num_threads,
                chunk_bytes,
                max_memory_bytes,
                spill_directory: directory.clone(),
            };
            let Some(kept) = kept else {
                return Ok(CoreCounter::new(specials, splitter, &options));
            };
            let kept = kept.into_iter().map(|(name, level)| Run { name, level }).collect();
            CoreCounter::resume(specials, splitter, &options, &directory, kept)
        });
        made.map(|core| Self(Some(core))).map_err(|error| to_py(py, &error))
    }

    fn count_file(
        &mut self,
        py: Python<'_>,
        path: PathBuf,
        start: u64,
        end: u64,
        max_bytes: u64,
        on_progress: Py<PyAny>,
    ) -> PyResult<u64> {
        let core = self.core()?;
        working(py, on_progress, |progress| {
            core.count_file(&path, start..end, max_bytes, &|done, total| {
                progress.report(done, total)
            })
        })
    }

    fn count_text<'py>(
        &mut self,
        py: Python<'py>,
        pieces: &Bound<'py, PyAny>,
        place: PathBuf,
        offset: u64,
        max_bytes: u64,
    ) -> PyResult<(u64, Option<Bound<'py, PyBytes>>)> {
        let core = self.core()?;
        let mut source = Pieces {
            iterator: pieces.try_iter()?.unbind(),
            piece: None,
            failure: None,
        };
        let counted = py.detach(|| core.count_stream(&mut source, &place, offset, max_bytes));
        if let Some(failure) = source.failure {
            return Err(failure);
        }
        let (offset, rest) = counted.map_err(|error| to_py(py, &error))?;
        let rest = rest.map(|mut bytes| {
            if let Some((piece, used)) = source.piece {
                bytes.extend_from_slice(&piece[used..]);
            }
            PyBytes::new(py, &bytes)
        });
        Ok((offset, rest))
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

    fn keep(&mut self, py: Python<'_>) -> PyResult<Vec<(String, u32)>> {
        let core = self.core()?;
        let runs = py.detach(|| core.keep()).map_err(|error| to_py(py, &error))?;
        Ok(runs.into_iter().map(|run| (run.name, run.level)).collect())
    }

    fn remove_others(&mut self, py: Python<'_>) -> PyResult<()> {
        let core = self.core()?;
        py.detach(|| core.remove_others()).map_err(|error| to_py(py, &error))
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
