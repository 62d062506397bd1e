//! Ids as a Python list.

#![allow(unsafe_code, reason = "PyO3's safe lists panic where memory runs out")]

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyRange};

/// Integers from 0 on, made once: a list of ids refers to them, which is faster than making an object an id and takes a
/// fifth of the memory.
pub struct Integers {
    num: usize,
    made: PyOnceLock<Vec<Py<PyAny>>>,
}

impl Integers {
    /// The integers below `num`, which are made at the first use.
    pub fn below(num: usize) -> Self {
        Self {
            num,
            made: PyOnceLock::new(),
        }
    }

    /// Returns `ids` as a list.
    ///
    /// # Errors
    /// A MemoryError.
    pub fn list_of<'py>(&self, py: Python<'py>, ids: &[u32]) -> PyResult<Bound<'py, PyList>> {
        let integers = self.made.get_or_try_init(py, || self.make(py))?;
        let too_long = |_| PyMemoryError::new_err("a list of ids too long");
        let len = ffi::Py_ssize_t::try_from(ids.len()).map_err(too_long)?;
        // SAFETY: the function returns a list of its own or, with an exception set, null.
        let list = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyList_New(len)) }?;
        for (place, &id) in (0..len).zip(ids) {
            if place % CHECK_EVERY == CHECK_EVERY - 1 {
                py.check_signals()?;
            }
            let integer = match integers.get(id as usize) {
                Some(integer) => integer.clone_ref(py).into_ptr(),
                None => integer_of(py, id)?.into_ptr(),
            };
            // SAFETY: `place` is within the list, which nobody else has seen, and the reference is given to it.
            unsafe { ffi::PyList_SetItem(list.as_ptr(), place, integer) };
        }
        Ok(list.cast_into()?)
    }

    fn make(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let mut integers = Vec::new();
        integers
            .try_reserve_exact(self.num)
            .map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        for integer in PyRange::new(py, 0, self.num as isize)?.try_iter()? {
            integers.push(integer?.unbind());
        }
        Ok(integers)
    }
}

/// Ids between two looks at signals: milliseconds.
const CHECK_EVERY: ffi::Py_ssize_t = 1 << 20;

/// Makes the integer of a sparse id.
#[cold]
fn integer_of(py: Python<'_>, id: u32) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the function returns an object of its own or, with an exception set, null.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromUnsignedLongLong(id.into())) }
}
