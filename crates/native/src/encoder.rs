//! Encoding and decoding.

use std::sync::Arc;

use homespun_bpe::encode::spans_in_characters;
use homespun_bpe::progress::Progress;
use homespun_bpe::{BpeError, SpecialPolicy};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::errors::{new_error, to_py};
use crate::id_list::Integers;
use crate::ids::Ids;
use crate::stream::EncodeStream;
use crate::working::released;

/// Ids as NumPy holds them.
type IdArray<'py> = Bound<'py, PyArray1<u32>>;

/// The interpreter is released for texts from this size on.
const MIN_RELEASED_BYTES: usize = 1 << 10;

/// Text to ids and back for one vocabulary.
#[pyclass(frozen, module = "homespun._native")]
pub struct Encoder {
    pub core: Arc<homespun_bpe::Encoder>,
    integers: Integers,
}

#[pymethods]
impl Encoder {
    #[new]
    fn new(
        py: Python<'_>,
        tokens: Vec<(u32, Bound<'_, PyBytes>)>,
        merges: Vec<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)>,
        special_tokens: Vec<(String, u32)>,
        added_tokens: Vec<String>,
        pattern: &str,
        cache_bytes: usize,
    ) -> PyResult<Self> {
        load_numpy(py)?;
        let tokens: Vec<_> = tokens.iter().map(|(id, token)| (*id, token.as_bytes())).collect();
        let merges: Vec<_> = merges
            .iter()
            .map(|(left, right)| (left.as_bytes(), right.as_bytes()))
            .collect();
        py.detach(|| {
            homespun_bpe::Encoder::new(tokens, &merges, &special_tokens, pattern, cache_bytes)?
                .with_added_tokens(&added_tokens)
        })
        .map(|core| Self {
            integers: Integers::below(core.vocabulary().len()),
            core: Arc::new(core),
        })
        .map_err(|error| to_py(py, &error))
    }

    #[pyo3(signature = (text, special, num_threads=1))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        special: &str,
        num_threads: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let ids = self.ids_of(py, text, special, num_threads)?;
        self.integers.list_of(py, &ids)
    }

    #[pyo3(signature = (text, special, num_threads=1))]
    fn encode_to_numpy<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        special: &str,
        num_threads: usize,
    ) -> PyResult<IdArray<'py>> {
        let ids = self.ids_of(py, text_of(text)?, special, num_threads)?;
        Ok(ids.into_pyarray(py))
    }

    #[pyo3(signature = (text, special, in_characters=true))]
    fn encode_with_offsets<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyAny>,
        special: &str,
        in_characters: bool,
    ) -> PyResult<(IdArray<'py>, Bound<'py, PyArray2<i64>>)> {
        let special = policy(py, special)?;
        let text = text_of(text)?;
        let encode = |progress: &Progress| {
            let (ids, mut spans) = self.core.encode_with_spans(text, special, progress)?;
            if in_characters {
                spans_in_characters(text, &mut spans);
            }
            let mut offsets: Vec<i64> = Vec::new();
            offsets
                .try_reserve_exact(2 * spans.len())
                .map_err(|_| BpeError::OutOfMemory {
                    num_bytes: 16 * spans.len(),
                })?;
            offsets.extend(spans.iter().flat_map(|&(start, end)| [start as i64, end as i64]));
            Ok((ids, offsets))
        };
        let (ids, offsets) = released(py, text.len(), encode)?;
        let shape = [ids.len(), 2];
        Ok((ids.into_pyarray(py), offsets.into_pyarray(py).reshape(shape)?))
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
        let num_bytes = texts.iter().map(|text| text.len()).sum();
        let ids = released(py, num_bytes, |progress| {
            self.core.encode_batch(&texts, special, num_threads, progress)
        })?;
        Ok(ids.into_iter().map(|ids| ids.into_pyarray(py)).collect())
    }

    #[pyo3(signature = (ids, num_threads=1))]
    fn decode_bytes<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        num_threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ids::from_py(ids)?.decode(py, self.core.vocabulary(), num_threads)
    }

    fn stream(&self, py: Python<'_>, special: &str) -> PyResult<EncodeStream> {
        let stream = homespun_bpe::EncodeStream::new(Arc::clone(&self.core), policy(py, special)?);
        Ok(EncodeStream::new(stream))
    }
}

impl Encoder {
    fn ids_of(&self, py: Python<'_>, text: &str, special: &str, num_threads: usize) -> PyResult<Vec<u32>> {
        let special = policy(py, special)?;
        // Letting the interpreter go and waiting for it takes longer than encoding a few sentences.
        if text.len() < MIN_RELEASED_BYTES {
            return self.core.encode(text, special).map_err(|error| to_py(py, &error));
        }
        released(py, text.len(), |progress| {
            self.core.encode_on_threads(text, special, num_threads, progress)
        })
    }
}

/// Fetches NumPy's C interface. rust-numpy fetches it at its first use and panics where that fails, which a Ctrl-C during
/// long work would make it do; so it is used here, before any work.
fn load_numpy(py: Python<'_>) -> PyResult<()> {
    py.check_signals()?;
    py.import("numpy")?;
    PyArray1::<u32>::zeros(py, 0, false).try_readonly().map(drop)?;
    Ok(())
}

/// A text given as a string or as its UTF-8 bytes.
fn text_of<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let Ok(bytes) = text.cast::<PyBytes>() else {
        return text.cast::<PyString>()?.to_str();
    };
    homespun_bpe::unicode::text_of(bytes.as_bytes()).map_err(|error| to_py(text.py(), &error))
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
