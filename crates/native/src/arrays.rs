//! Arrays as arguments of the kernels: their memory, and whether their shapes fit.

use homespun_kernels::matmul::{Matrix, Precision};
use homespun_kernels::muon::MuonParameter;
use homespun_kernels::optimizer::Parameter;
use numpy::{PyReadonlyArrayDyn, PyReadwriteArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

pub(crate) type Numbers<'py> = PyReadonlyArrayDyn<'py, f32>;
pub(crate) type Output<'py> = PyReadwriteArrayDyn<'py, f32>;
pub(crate) type Indices<'py> = PyReadonlyArrayDyn<'py, i64>;

/// A parameter, its gradient, both moments, and the number of its steps.
pub(crate) type OptimizerState<'py> = (Output<'py>, Numbers<'py>, Output<'py>, Output<'py>, i32);

/// A matrix, its gradient, its momentum, mean squares of its rows, and the length of its step.
pub(crate) type MuonState<'py> = (Output<'py>, Numbers<'py>, Output<'py>, Option<Output<'py>>, f64);

/// The rows of an array, whose last dimension is that of the columns.
pub(crate) fn matrix<'a>(array: &'a Numbers<'_>, is_transposed: bool) -> PyResult<Matrix<'a>> {
    check(array.ndim() > 0)?;
    let num_columns = array.shape()[array.ndim() - 1];
    let elements = array.as_slice()?;
    let num_rows: usize = array.shape()[..array.ndim() - 1].iter().product();
    let matrix = Matrix::by_rows(elements, num_rows, num_columns);
    Ok(if is_transposed { matrix.transposed() } else { matrix })
}

pub(crate) fn check(fits: bool) -> PyResult<()> {
    if fits {
        Ok(())
    } else {
        Err(misfit())
    }
}

pub(crate) fn misfit() -> PyErr {
    PyValueError::new_err("the shapes of the arrays do not fit")
}

pub(crate) fn check_indices(indices: &[i64], end: usize) -> PyResult<()> {
    match indices.iter().find(|index| !(0..end as i64).contains(index)) {
        None => Ok(()),
        Some(index) => Err(PyIndexError::new_err(format!(
            "index {index} is out of range: there are {end} rows"
        ))),
    }
}

pub(crate) fn optimizer_parameters<'a>(state: &'a mut [OptimizerState<'_>]) -> PyResult<Vec<Parameter<'a>>> {
    let mut parameters = Vec::new();
    for (values, gradient, mean, square, num_steps) in state {
        check([gradient.len(), mean.len(), square.len()] == [values.len(); 3])?;
        parameters.push(Parameter {
            values: values.as_slice_mut()?,
            gradient: gradient.as_slice()?,
            mean: mean.as_slice_mut()?,
            square: square.as_slice_mut()?,
            num_steps: *num_steps,
        });
    }
    Ok(parameters)
}

pub(crate) fn muon_parameters<'a>(state: &'a mut [MuonState<'_>]) -> PyResult<Vec<MuonParameter<'a>>> {
    let mut parameters = Vec::new();
    for (values, gradient, mean, squares, step) in state {
        check(values.ndim() == 2 && [gradient.shape(), mean.shape()] == [values.shape(); 2])?;
        check(
            squares
                .as_ref()
                .is_none_or(|squares| squares.len() == values.shape()[0]),
        )?;
        let num_columns = values.shape()[1];
        parameters.push(MuonParameter {
            values: values.as_slice_mut()?,
            gradient: gradient.as_slice()?,
            mean: mean.as_slice_mut()?,
            row_squares: squares.as_mut().map(|squares| squares.as_slice_mut()).transpose()?,
            num_columns,
            step: *step,
        });
    }
    Ok(parameters)
}

pub(crate) fn precision(bfloat16: bool) -> Precision {
    if bfloat16 {
        Precision::Bfloat16
    } else {
        Precision::Float32
    }
}

pub(crate) fn slices<'a>(arrays: &'a [Numbers<'_>]) -> PyResult<Vec<&'a [f32]>> {
    arrays.iter().map(|array| Ok(array.as_slice()?)).collect()
}

pub(crate) fn slices_mut<'a>(arrays: &'a mut [Output<'_>]) -> PyResult<Vec<&'a mut [f32]>> {
    arrays.iter_mut().map(|array| Ok(array.as_slice_mut()?)).collect()
}
