//! Memory of tensors that is used again: the system hands out a fresh page far more slowly than a kernel fills it.

#![allow(unsafe_code, reason = "an array refers to memory that its owner keeps")]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use homespun_kernels::huge::zeros;
use numpy::ndarray::ArrayView1;
use numpy::PyArray1;
use pyo3::prelude::*;

/// Memory that is free, by its length, and how much there is.
static MEMORY: Mutex<Memory> = Mutex::new(Memory {
    free: BTreeMap::new(),
    num_free: 0,
    num_used: 0,
    most_used: 0,
});

struct Memory {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Numbers that are free, that are used now, and that were used at the most.
    num_free: usize,
    num_used: usize,
    most_used: usize,
}

impl Memory {
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        self.num_used += len;
        self.most_used = self.most_used.max(self.num_used);
        let numbers = self.free.get_mut(&len).and_then(Vec::pop)?;
        self.num_free -= len;
        Some(numbers)
    }

    /// Keeps memory for later, but no more than was ever used at a time: sequences of ever other lengths leave little.
    fn give_back(&mut self, numbers: Vec<f32>) {
        self.num_used -= numbers.len();
        if self.num_free + numbers.len() <= self.most_used {
            self.num_free += numbers.len();
            self.free.entry(numbers.len()).or_default().push(numbers);
        }
    }
}

fn memory() -> MutexGuard<'static, Memory> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Owns the memory of an array, and gives it back when the array is gone.
#[pyclass(frozen)]
struct Buffer {
    numbers: Vec<f32>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        memory().give_back(std::mem::take(&mut self.numbers));
    }
}

/// Returns an array of `len` numbers, whatever they are, whose memory is used again once nothing refers to it.
#[pyfunction]
pub fn uninitialized(py: Python<'_>, len: usize) -> PyResult<Bound<'_, PyArray1<f32>>> {
    let used = memory().take(len);
    let mut numbers = used.unwrap_or_else(|| zeros(len));
    let begin = numbers.as_mut_ptr();
    let buffer = Bound::new(py, Buffer { numbers })?;
    // SAFETY: `begin` is where the memory of `buffer` begins, which is never moved, and which nothing else reads or
    // writes; the array keeps `buffer`.
    unsafe {
        let view = ArrayView1::from_shape_ptr(len, begin);
        Ok(PyArray1::borrow_from_array(&view, buffer.into_any()))
    }
}

/// Returns the bytes of such arrays: now, and at the most since the last `release_buffers`.
#[pyfunction]
pub fn buffer_bytes() -> (usize, usize) {
    let memory = memory();
    (memory.num_used * size_of::<f32>(), memory.most_used * size_of::<f32>())
}

/// Returns the memory that is free to the system.
#[pyfunction]
pub fn release_buffers() {
    let mut memory = memory();
    memory.free.clear();
    (memory.num_free, memory.most_used) = (0, memory.num_used);
}
