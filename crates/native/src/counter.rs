//! Splitting, and counting what Python names or reads.

use std::io::{self, Read};
use std::path::PathBuf;

use homespun_bpe::count::{self, CountOptions, Counter as CoreCounter, DocumentBatch};
use homespun_bpe::{BpeError, SpecialTokens, Splitter};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyIterator;

use crate::counts::{to_py_sums, PretokenCounts, PySums};
use crate::errors::{spent, to_py};
use crate::working::{serve, working, Caller};

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
        py.detach(|| {
            let options = CountOptions {
                num_threads,
                chunk_bytes,
                max_memory_bytes,
                spill_directory,
            };
            let specials = SpecialTokens::new(special_tokens)?;
            Ok(CoreCounter::new(specials, Splitter::new(pattern)?, &options))
        })
        .map(|core| Self(Some(core)))
        .map_err(|error| to_py(py, &error))
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
        working(py, Some(&on_progress), |progress| {
            core.set_progress(progress);
            core.count_file(&path, start..end)
        })
    }

    fn count_text(&mut self, py: Python<'_>, chunks: &Bound<'_, PyAny>, place: PathBuf) -> PyResult<()> {
        let core = self.core()?;
        let mut chunks = chunks.try_iter()?.unbind();
        let next = |py: Python<'_>, (): ()| next_of(py, &mut chunks)?.map(|chunk| Ok(chunk.extract()?)).transpose();
        serve(py, None, next, |progress, caller| {
            core.set_progress(progress);
            let mut source = Chunks {
                ahead: Ahead::new(caller)?,
                chunk: None,
                is_interrupted: false,
            };
            let counted = core.count_stream(&mut source, &place);
            if source.is_interrupted {
                return Err(BpeError::Interrupted);
            }
            counted
        })
    }

    fn count_documents(&mut self, py: Python<'_>, batches: &Bound<'_, PyAny>) -> PyResult<()> {
        let core = self.core()?;
        let mut batches = batches.try_iter()?.unbind();
        let next = |py: Python<'_>, (): ()| {
            let Some(batch) = next_of(py, &mut batches)? else {
                return Ok(None);
            };
            // As text of ours, so that counting needs no interpreter.
            let mut documents = DocumentBatch::default();
            for document in batch.try_iter()? {
                let document = document?.extract::<PyBackedStr>()?;
                documents.push(&document).map_err(|error| to_py(py, &error))?;
            }
            Ok(Some(documents))
        };
        serve(py, None, next, |progress, caller| {
            core.set_progress(progress);
            let ahead = Ahead::new(caller)?;
            core.count_documents(move || ahead.next())
        })
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<PretokenCounts> {
        let mut core = self.0.take().ok_or_else(|| spent("counter"))?;
        working(py, None, |progress| {
            core.set_progress(progress);
            core.finish()
        })
        .map(PretokenCounts)
    }

    fn write(&mut self, py: Python<'_>, path: PathBuf, header: &[u8]) -> PyResult<PySums> {
        let mut core = self.0.take().ok_or_else(|| spent("counter"))?;
        working(py, None, |progress| {
            core.set_progress(progress);
            core.write(&path, header)
        })
        .map(to_py_sums)
    }
}

impl Counter {
    fn core(&mut self) -> PyResult<&mut CoreCounter> {
        self.0.as_mut().ok_or_else(|| spent("counter"))
    }
}

fn next_of<'py>(py: Python<'py>, iterator: &mut Py<PyIterator>) -> PyResult<Option<Bound<'py, PyAny>>> {
    iterator.bind(py).clone().next().transpose()
}

/// A Python iterator, the next two items of which are always asked for: Python makes them while others are counted.
struct Ahead<T>(Caller<(), Option<T>>);

impl<T> Ahead<T> {
    fn new(caller: Caller<(), Option<T>>) -> Result<Self, BpeError> {
        caller.ask_ahead(())?;
        caller.ask_ahead(())?;
        Ok(Self(caller))
    }

    fn next(&self) -> Result<Option<T>, BpeError> {
        let item = self.0.receive()?;
        if item.is_some() {
            self.0.ask_ahead(())?;
        }
        Ok(item)
    }
}

/// Reads the bytes that a Python iterator gives.
struct Chunks {
    ahead: Ahead<PyBackedBytes>,
    /// The chunk at hand, and how much of it is used.
    chunk: Option<(PyBackedBytes, usize)>,
    is_interrupted: bool,
}

impl Read for Chunks {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((chunk, used)) = &mut self.chunk {
                let len = bytes.len().min(chunk.len() - *used);
                if len > 0 || bytes.is_empty() {
                    bytes[..len].copy_from_slice(&chunk[*used..*used + len]);
                    *used += len;
                    return Ok(len);
                }
            }
            self.chunk = match self.ahead.next() {
                Ok(Some(chunk)) => Some((chunk, 0)),
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.is_interrupted = true;
                    return Err(io::Error::other(error));
                }
            };
        }
    }
}

/// Returns the pre-tokens of a text.
#[pyfunction]
pub fn split(py: Python<'_>, text: &str, pattern: &str) -> PyResult<Vec<String>> {
    py.detach(|| {
        let ranges = Splitter::new(pattern)?.split(text)?;
        Ok(ranges.into_iter().map(|range| text[range].to_owned()).collect())
    })
    .map_err(|error: BpeError| to_py(py, &error))
}

/// Returns where a file can be cut.
#[pyfunction]
pub fn first_cut(
    py: Python<'_>,
    path: PathBuf,
    start: u64,
    special_tokens: Vec<String>,
    pattern: &str,
) -> PyResult<u64> {
    py.detach(|| -> Result<u64, BpeError> {
        let specials = SpecialTokens::new(special_tokens)?;
        count::first_cut(&path, start, &specials, &Splitter::new(pattern)?)
    })
    .map_err(|error| to_py(py, &error))
}
