//! `Kernels`' operations on a whole block: arrays to the block's parts.

use homespun_kernels::block::{block, block_backward, Gradients, Sizes, Weights};
use homespun_kernels::matmul::Precision;
use homespun_kernels::pool::Pool;
use homespun_kernels::rope::Angles;
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use crate::arrays::{check, Numbers, Output};

/// A block's parameters: `ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2`.
pub(crate) type Parameters<'py> = [Numbers<'py>; 9];

/// Their gradients.
pub(crate) type ParameterGradients<'py> = [Output<'py>; 9];

/// What a block is, but for its parameters.
pub(crate) struct Settings<'a, 'py> {
    pub num_heads: usize,
    pub eps: f32,
    pub precision: Precision,
    pub angles: Option<&'a (Numbers<'py>, Numbers<'py>)>,
}

/// Returns how many numbers a block's forward pass keeps.
pub(crate) fn saved_len(x: &Numbers<'_>, d_ff: usize, num_heads: usize) -> PyResult<usize> {
    Ok(sizes(x, d_ff, num_heads)?.saved_len())
}

pub(crate) fn forward(
    py: Python<'_>,
    pool: &Pool,
    parameters: &Parameters<'_>,
    settings: &Settings<'_, '_>,
    x: &Numbers<'_>,
    saved: &mut Output<'_>,
    y: &mut Output<'_>,
) -> PyResult<()> {
    let (sizes, weights) = parts(parameters, settings, x)?;
    check(saved.len() == sizes.saved_len() && y.shape() == x.shape())?;
    let (x, saved, y) = (x.as_slice()?, saved.as_slice_mut()?, y.as_slice_mut()?);
    py.detach(|| block(pool, sizes, weights, x, saved, y));
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "what the forward pass was given and gave, and the results"
)]
pub(crate) fn backward(
    py: Python<'_>,
    pool: &Pool,
    parameters: &Parameters<'_>,
    settings: &Settings<'_, '_>,
    x: &Numbers<'_>,
    saved: &Numbers<'_>,
    dy: &Numbers<'_>,
    gradients: &mut ParameterGradients<'_>,
    dx: &mut Output<'_>,
) -> PyResult<()> {
    let (sizes, weights) = parts(parameters, settings, x)?;
    check(saved.len() == sizes.saved_len() && [dy.shape(), dx.shape()] == [x.shape(); 2])?;
    check(
        gradients
            .iter()
            .zip(parameters)
            .all(|(gradient, parameter)| gradient.shape() == parameter.shape()),
    )?;
    let [ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2] = gradients;
    let gradients = Gradients {
        ln1: ln1.as_slice_mut()?,
        q_proj: q_proj.as_slice_mut()?,
        k_proj: k_proj.as_slice_mut()?,
        v_proj: v_proj.as_slice_mut()?,
        output_proj: output_proj.as_slice_mut()?,
        ln2: ln2.as_slice_mut()?,
        w1: w1.as_slice_mut()?,
        w3: w3.as_slice_mut()?,
        w2: w2.as_slice_mut()?,
    };
    let (x, saved, dy, dx) = (x.as_slice()?, saved.as_slice()?, dy.as_slice()?, dx.as_slice_mut()?);
    py.detach(|| block_backward(pool, sizes, weights, x, saved, dy, gradients, dx));
    Ok(())
}

fn sizes(x: &Numbers<'_>, d_ff: usize, num_heads: usize) -> PyResult<Sizes> {
    check(x.ndim() == 3 && num_heads > 0 && x.shape()[2].is_multiple_of(num_heads))?;
    Ok(Sizes {
        num_sequences: x.shape()[0],
        num_positions: x.shape()[1],
        num_heads,
        d_model: x.shape()[2],
        d_ff,
    })
}

fn parts<'a>(
    parameters: &'a Parameters<'_>,
    settings: &Settings<'a, '_>,
    x: &Numbers<'_>,
) -> PyResult<(Sizes, Weights<'a>)> {
    let [ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2] = parameters;
    check(w1.ndim() == 2)?;
    let sizes = sizes(x, w1.shape()[0], settings.num_heads)?;
    let (d, f) = (sizes.d_model, sizes.d_ff);
    check([ln1, ln2].iter().all(|array| array.shape() == [d]))?;
    check(
        [q_proj, k_proj, v_proj, output_proj]
            .iter()
            .all(|array| array.shape() == [d, d]),
    )?;
    check(w1.shape() == [f, d] && w3.shape() == [f, d] && w2.shape() == [d, f])?;
    let angles = match settings.angles {
        None => None,
        Some((cos, sin)) => {
            let num_positions = sizes.num_positions;
            check(
                (d / sizes.num_heads).is_multiple_of(2)
                    && [cos.shape(), sin.shape()] == [[num_positions, d / sizes.num_heads / 2]; 2],
            )?;
            let (cos, sin) = (cos.as_slice()?, sin.as_slice()?);
            Some(Angles {
                cos,
                sin,
                num_positions,
            })
        }
    };
    let weights = Weights {
        ln1: ln1.as_slice()?,
        q_proj: q_proj.as_slice()?,
        k_proj: k_proj.as_slice()?,
        v_proj: v_proj.as_slice()?,
        output_proj: output_proj.as_slice()?,
        ln2: ln2.as_slice()?,
        w1: w1.as_slice()?,
        w3: w3.as_slice()?,
        w2: w2.as_slice()?,
        eps: settings.eps,
        precision: settings.precision,
        angles,
    };
    Ok((sizes, weights))
}
