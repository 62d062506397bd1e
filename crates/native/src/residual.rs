//! `Kernels`' sums of streams: arrays to the operation's parts.

use homespun_kernels::pool::Pool;
use homespun_kernels::residual::{scaled_sum, scaled_sum_backward, Given};
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use crate::arrays::{check, Numbers, Output};

pub(crate) fn forward(
    py: Python<'_>,
    pool: &Pool,
    scales: [f32; 2],
    (x, other): (&Numbers<'_>, &Numbers<'_>),
    y: &mut Output<'_>,
) -> PyResult<()> {
    check([x.shape(), other.shape()] == [y.shape(); 2])?;
    let (x, other, y) = (x.as_slice()?, other.as_slice()?, y.as_slice_mut()?);
    py.detach(|| scaled_sum(pool, x, other, scales, y));
    Ok(())
}

pub(crate) fn backward(
    py: Python<'_>,
    pool: &Pool,
    scales: [f32; 2],
    (dy, x, other): (&Numbers<'_>, &Numbers<'_>, &Numbers<'_>),
    (dx, dother): (&mut Output<'_>, &mut Output<'_>),
) -> PyResult<[f64; 2]> {
    check([x.shape(), other.shape(), dx.shape(), dother.shape()] == [dy.shape(); 4])?;
    let width = dy.shape().last().copied().unwrap_or(0);
    check(width > 0)?;
    let given = Given {
        dy: dy.as_slice()?,
        x: x.as_slice()?,
        other: other.as_slice()?,
        scales,
    };
    let (dx, dother) = (dx.as_slice_mut()?, dother.as_slice_mut()?);
    Ok(py.detach(|| scaled_sum_backward(pool, given, width, dx, dother)))
}
