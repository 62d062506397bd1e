//! Ids from Python: a sequence of integers, or an array of any integer type.

use homespun_bpe::decode::{Decoding, Id};
use homespun_bpe::Vocabulary;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::working::released;

/// Ids that may still be outside any vocabulary.
pub enum Ids<'py> {
    /// An array of a token file's type, as it lies.
    Narrow(PyReadonlyArray1<'py, u16>),
    /// An array of ours, as it lies.
    Array(PyReadonlyArray1<'py, u32>),
    /// Ids that fit.
    Fitting(Vec<u32>),
    /// Ids of which some, or all, do not fit in 32 bits.
    Wide(Vec<i128>),
}

impl<'py> Ids<'py> {
    /// Takes `ids` over, whatever their type.
    pub fn from_py(ids: &Bound<'py, PyAny>) -> PyResult<Self> {
        if ids.cast::<PyUntypedArray>().is_ok() {
            return Self::from_array(ids);
        }
        match ids.extract::<Vec<u32>>() {
            Ok(ids) => Ok(Self::Fitting(ids)),
            Err(error) if error.is_instance_of::<PyOverflowError>(ids.py()) => ids
                .try_iter()?
                .map(|id| id?.extract())
                .collect::<PyResult<_>>()
                .map(Self::Wide),
            Err(error) => Err(error),
        }
    }

    fn from_array(ids: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(array) = ids.cast::<PyArray1<u16>>() {
            let array = array.try_readonly()?;
            if array.as_slice().is_ok() {
                return Ok(Self::Narrow(array));
            }
        }
        if let Ok(array) = ids.cast::<PyArray1<u32>>() {
            let array = array.try_readonly()?;
            if array.as_slice().is_ok() {
                return Ok(Self::Array(array));
            }
        }
        macro_rules! try_types {
            ($($integer:ty),*) => {$(
                if let Ok(array) = ids.cast::<PyArray1<$integer>>() {
                    let array = array.try_readonly()?;
                    return Ok(Self::from_integers(array.as_array().iter().copied()));
                }
            )*};
        }
        try_types!(u16, u32, i64, i32, u64, u8, i16, i8);
        let array = ids.cast::<PyUntypedArray>()?;
        if array.len() == 0 {
            return Ok(Self::Fitting(Vec::new())); // NumPy's empty array has floats
        }
        let (ndim, dtype) = (array.ndim(), array.dtype());
        Err(PyTypeError::new_err(format!(
            "ids must be integers on one axis, not {dtype} on {ndim} axes"
        )))
    }

    fn from_integers<T: Copy + TryInto<u32> + Into<i128>>(ids: impl Iterator<Item = T> + Clone) -> Self {
        match ids.clone().map(|id| id.try_into().ok()).collect() {
            Some(fitting) => Self::Fitting(fitting),
            None => Self::Wide(ids.map(Into::into).collect()),
        }
    }

    /// The bytes that the ids spell, by up to `num_threads` threads, while the interpreter is released.
    pub fn decode(
        &self,
        py: Python<'py>,
        vocabulary: &Vocabulary,
        num_threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self {
            Self::Narrow(ids) => decode(py, vocabulary, ids.as_slice()?, num_threads),
            Self::Array(ids) => decode(py, vocabulary, ids.as_slice()?, num_threads),
            Self::Fitting(ids) => decode(py, vocabulary, ids, num_threads),
            Self::Wide(ids) => {
                // An id below the first that does not fit may be wrong too, and comes first.
                let num_fitting = ids.iter().take_while(|&&id| u32::try_from(id).is_ok()).count();
                let fitting: Vec<u32> = ids[..num_fitting].iter().map(|&id| id as u32).collect();
                decode(py, vocabulary, &fitting, num_threads)?;
                Err(to_py(py, &vocabulary.outside(ids[num_fitting], num_fitting)))
            }
        }
    }
}

/// Ids that are decoded in the time in which a byte of text is encoded: a rough figure, for [`released`].
const IDS_PER_ENCODED_BYTE: usize = 4;

fn decode<'py, I: Id>(
    py: Python<'py>,
    vocabulary: &Vocabulary,
    ids: &[I],
    num_threads: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let work = ids.len() / IDS_PER_ENCODED_BYTE;
    let decoding = released(py, work, |progress| {
        Decoding::new(vocabulary, ids, num_threads, progress)
    })?;
    PyBytes::new_with(py, decoding.num_bytes(), |bytes| {
        released(py, work, |progress| decoding.write(bytes, progress))
    })
}
