//! What this processor and its memory do at best, and the instructions in use.

use homespun_kernels::level::Level;
use homespun_kernels::memory::Bandwidth;
use homespun_kernels::pool::Pool;
use homespun_kernels::{memory, peak};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Returns the instructions that operations use.
#[pyfunction]
pub fn instruction_level() -> String {
    name(Level::current())
}

/// Returns the instructions that this processor has, of those that operations are compiled for; the widest last.
#[pyfunction]
pub fn instruction_levels() -> Vec<String> {
    supported().map(name).collect()
}

/// Measures the FLOP/s of float32 fused multiply-adds.
#[pyfunction]
pub fn measure_multiply_adds(py: Python<'_>, level: &str, num_threads: usize) -> PyResult<f64> {
    let Some(level) = supported().find(|known| name(*known) == level) else {
        let known = instruction_levels().join(", ");
        let message = format!("level = {level:?}: this processor has {known}");
        return Err(PyValueError::new_err(message));
    };
    Ok(py.detach(|| peak::multiply_add_flops(&Pool::new(num_threads), level)))
}

/// Measures the FLOP/s of bfloat16 dot products; none if the processor has no instruction for them.
#[pyfunction]
pub fn measure_bfloat16_dots(py: Python<'_>, num_threads: usize) -> Option<f64> {
    py.detach(|| peak::bfloat16_dot_flops(&Pool::new(num_threads)))
}

/// Measures the bytes a second read, and read and written by copying.
#[pyfunction]
pub fn measure_memory(py: Python<'_>, num_bytes: usize, num_threads: usize) -> (f64, f64) {
    let Bandwidth { read, copy } = py.detach(|| memory::bandwidth(&Pool::new(num_threads), num_bytes));
    (read, copy)
}

/// Measures the seconds that the first write to a page of memory takes.
#[pyfunction]
pub fn measure_fresh_page(py: Python<'_>, page_bytes: usize) -> PyResult<f64> {
    if page_bytes == 0 {
        return Err(PyValueError::new_err("page_bytes = 0: a page has at least a byte"));
    }
    Ok(py.detach(|| memory::fresh_page_seconds(page_bytes)))
}

fn supported() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_supported())
}

fn name(level: Level) -> String {
    format!("{level:?}").to_lowercase()
}
