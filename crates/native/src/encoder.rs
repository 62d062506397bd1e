//! Encoding and decoding.

use std::sync::{Arc, Mutex, PoisonError};

use homespun_bpe::{BpeError, SpecialPolicy};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::errors::{new_error, to_py};
use crate::ids::Ids;

/// Ids as NumPy holds them.
type IdArray<'py> = Bound<'py, PyArray1<u32>>;

/// Text to ids and back for one vocabulary.
#[pyclass(frozen, module = "homespun._native")]
pub struct Encoder(pub Arc<homespun_bpe::Encoder>);

#[pymethods]
impl Encoder {
    #[new]
    fn new(
        py: Python<'_>,
        tokens: Vec<(u32, Bound<'_, PyBytes>)>,
        merges: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)>,
        special_tokens: Vec<(String, u32)>,
        pattern: &str,
        cache_bytes: usize,
    ) -> PyResult<Self> {
        let tokens: Vec<_> = tokens.iter().map(|(id, token)| (*id, token.as_bytes())).collect();
        let merges: Vec<_> = merges
            .iter()
            .map(|(left, right)| (left.as_bytes(), right.as_bytes()))
            .collect();
        py.detach(|| homespun_bpe::Encoder::new(tokens, &merges, &special_tokens, pattern, cache_bytes))
            .map(|encoder| Self(Arc::new(encoder)))
            .map_err(|error| to_py(py, &error))
    }

    fn encode(&self, py: Python<'_>, text: &str, special: &str) -> PyResult<Vec<u32>> {
        self.ids_of(py, text, special)
    }

    fn encode_to_numpy<'py>(&self, py: Python<'py>, text: &Bound<'py, PyAny>, special: &str) -> PyResult<IdArray<'py>> {
        let ids = if let Ok(bytes) = text.cast::<PyBytes>() {
            let text = std::str::from_utf8(bytes.as_bytes()).map_err(|error| {
                let offset = error.valid_up_to() as u64;
                to_py(
                    py,
                    &BpeError::InvalidUtf8 {
                        place: "text".to_owned(),
                        offset,
                    },
                )
            })?;
            self.ids_of(py, text, special)?
        } else {
            self.ids_of(py, text.cast::<PyString>()?.to_str()?, special)?
        };
        Ok(ids.into_pyarray(py))
    }

    fn encode_batch<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<Bound<'py, PyString>>,
        special: &str,
        num_threads: usize,
    ) -> PyResult<Vec<IdArray<'py>>> {
        let special = policy(py, special)?;
        let texts = texts.iter().map(|text| text.to_str()).collect::<PyResult<Vec<_>>>()?;
        let ids = py
            .detach(|| self.0.encode_batch(&texts, special, num_threads))
            .map_err(|error| to_py(py, &error))?;
        Ok(ids.into_iter().map(|ids| ids.into_pyarray(py)).collect())
    }

    fn decode_bytes<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let vocabulary = self.0.vocabulary();
        let ids = Ids::from_py(ids)?;
        let bytes = py
            .detach(|| ids.decode(vocabulary))
            .map_err(|error| to_py(py, &error))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn stream(&self, py: Python<'_>, special: &str) -> PyResult<EncodeStream> {
        homespun_bpe::EncodeStream::new(Arc::clone(&self.0), policy(py, special)?)
            .map(|stream| EncodeStream(Mutex::new(stream)))
            .map_err(|error| to_py(py, &error))
    }
}

impl Encoder {
    fn ids_of(&self, py: Python<'_>, text: &str, special: &str) -> PyResult<Vec<u32>> {
        let special = policy(py, special)?;
        py.detach(|| self.0.encode(text, special))
            .map_err(|error| to_py(py, &error))
    }
}

/// Encodes text that arrives in pieces.
#[pyclass(frozen, module = "homespun._native")]
pub struct EncodeStream(Mutex<homespun_bpe::EncodeStream>);

#[pymethods]
impl EncodeStream {
    fn push<'py>(&self, py: Python<'py>, text: &str) -> PyResult<IdArray<'py>> {
        self.advance(py, |stream, ids| stream.push(text, ids))
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<IdArray<'py>> {
        self.advance(py, homespun_bpe::EncodeStream::finish)
    }
}

impl EncodeStream {
    fn advance<'py>(
        &self,
        py: Python<'py>,
        step: impl FnOnce(&mut homespun_bpe::EncodeStream, &mut Vec<u32>) -> Result<(), BpeError> + Send,
    ) -> PyResult<IdArray<'py>> {
        let mut ids = Vec::new();
        // The lock is taken without the interpreter, so that a thread waiting for it stops no other.
        py.detach(|| {
            let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            step(&mut stream, &mut ids)
        })
        .map_err(|error| to_py(py, &error))?;
        Ok(ids.into_pyarray(py))
    }
}

fn policy(py: Python<'_>, special: &str) -> PyResult<SpecialPolicy> {
    match special {
        "encode" => Ok(SpecialPolicy::Encode),
        "text" => Ok(SpecialPolicy::Text),
        "reject" => Ok(SpecialPolicy::Reject),
        _ => {
            let message = format!("special = {special:?}; it is \"encode\", \"text\" or \"reject\"");
            Err(new_error(py, "ConfigError", &message))
        }
    }
}
