//! Ids from Python: a sequence of integers, or an array of any integer type.

use homespun_bpe::{BpeError, Vocabulary};
use numpy::{PyArray1, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;

/// Ids that may still be outside any vocabulary.
pub enum Ids {
    /// Ids that fit.
    Fitting(Vec<u32>),
    /// Ids of which some, or all, do not fit in 32 bits.
    Wide(Vec<i128>),
}

impl Ids {
    /// Take `ids` over, whatever their type.
    pub fn from_py(ids: &Bound<'_, PyAny>) -> PyResult<Self> {
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

    fn from_array(ids: &Bound<'_, PyAny>) -> PyResult<Self> {
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

    /// The bytes that the ids spell.
    pub fn decode(&self, vocabulary: &Vocabulary) -> Result<Vec<u8>, BpeError> {
        match self {
            Self::Fitting(ids) => vocabulary.decode(ids),
            Self::Wide(ids) => {
                // An id below the first that does not fit may be wrong too, and comes first.
                let num_fitting = ids.iter().take_while(|&&id| u32::try_from(id).is_ok()).count();
                let fitting: Vec<u32> = ids[..num_fitting].iter().map(|&id| id as u32).collect();
                vocabulary.decode(&fitting)?;
                Err(vocabulary.outside(ids[num_fitting], num_fitting))
            }
        }
    }
}
