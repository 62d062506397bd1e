//! Encoding whole corpora.

use std::path::PathBuf;

use homespun_bpe::corpus::{self, Documents, Separator, TextFiles};
use homespun_bpe::{BpeError, Vocabulary};
use numpy::IntoPyArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::encoder::Encoder;
use crate::working::{serve, working};

/// Encodes text files one after the other, block by block.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "Python names them")]
pub fn encode_text_files(
    py: Python<'_>,
    encoder: &Encoder,
    paths: Vec<PathBuf>,
    start: u64,
    end: Option<u64>,
    separator: (String, u32),
    closes_last: bool,
    num_threads: usize,
    chunk_bytes: usize,
    id_bytes: usize,
    on_block: Py<PyAny>,
) -> PyResult<()> {
    let files = TextFiles {
        paths: &paths,
        start,
        end,
        separator: Separator {
            text: &separator.0,
            id: separator.1,
        },
        closes_last,
        num_threads,
        chunk_bytes,
    };
    let empty = NarrowIds::new(id_bytes, encoder.core.vocabulary())?;
    let take = |py: Python<'_>, (place, ids, counts): (_, NarrowIds, _)| {
        on_block.call1(py, (place, ids.into_array(py), counts)).map(drop)
    };
    serve(py, None, take, |progress, caller| {
        corpus::encode_files(&encoder.core, &files, progress, |range, block| {
            let mut ids = empty.clone();
            ids.extend(block.ids)?;
            let place = (range.file_index, range.start, range.end);
            caller.ask((place, ids, (block.num_bytes, block.num_separators)))
        })
    })
}

/// Encodes documents, a separator after each, into one array.
#[pyfunction]
pub fn encode_documents<'py>(
    py: Python<'py>,
    encoder: &Encoder,
    documents: Vec<Bound<'py, PyString>>,
    separator: (String, u32),
    closes_last: bool,
    num_threads: usize,
    id_bytes: usize,
) -> PyResult<(Bound<'py, PyAny>, u64, u64)> {
    let texts = documents
        .iter()
        .map(|document| document.to_str())
        .collect::<PyResult<Vec<_>>>()?;
    let documents = Documents {
        texts: &texts,
        separator: Separator {
            text: &separator.0,
            id: separator.1,
        },
        closes_last,
        num_threads,
    };
    let mut ids = NarrowIds::new(id_bytes, encoder.core.vocabulary())?;
    let (mut num_bytes, mut num_separators) = (0, 0);
    working(py, None, |progress| {
        corpus::encode_documents(&encoder.core, &documents, progress, |block| {
            num_bytes += block.num_bytes;
            num_separators += block.num_separators;
            ids.extend(block.ids)
        })
    })?;
    Ok((ids.into_array(py), num_bytes, num_separators))
}

/// Ids in the type in which the caller stores them.
#[derive(Clone)]
enum NarrowIds {
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl NarrowIds {
    /// Returns an empty list of ids of `id_bytes` bytes each, which the vocabulary's ids must fit in.
    fn new(id_bytes: usize, vocabulary: &Vocabulary) -> PyResult<Self> {
        let fits_two = vocabulary.largest_id().is_none_or(|id| id <= u32::from(u16::MAX));
        match id_bytes {
            2 if fits_two => Ok(Self::Two(Vec::new())),
            4 => Ok(Self::Four(Vec::new())),
            _ => Err(PyValueError::new_err(format!(
                "the vocabulary's ids do not fit in {id_bytes} bytes"
            ))),
        }
    }

    fn extend(&mut self, ids: &[u32]) -> Result<(), BpeError> {
        let reserved = match self {
            Self::Two(narrow) => narrow.try_reserve(ids.len()),
            Self::Four(narrow) => narrow.try_reserve(ids.len()),
        };
        reserved.map_err(|_| BpeError::OutOfMemory {
            num_bytes: size_of_val(ids),
        })?;
        match self {
            Self::Two(narrow) => narrow.extend(ids.iter().map(|&id| id as u16)),
            Self::Four(narrow) => narrow.extend_from_slice(ids),
        }
        Ok(())
    }

    fn into_array(self, py: Python<'_>) -> Bound<'_, PyAny> {
        match self {
            Self::Two(ids) => ids.into_pyarray(py).into_any(),
            Self::Four(ids) => ids.into_pyarray(py).into_any(),
        }
    }
}
