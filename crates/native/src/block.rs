//! `Kernels`' operations on a whole block: arrays to the block's parts.

use homespun_kernels::block::{block, block_backward, Activation, Gradients, Sizes, ValueGradients, Values, Weights};
use homespun_kernels::pool::Pool;
use homespun_kernels::rope::Angles;
use numpy::PyUntypedArrayMethods;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{check, misfit, precision, Numbers, Output};

/// A block's parameters: `ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, value_gate`, and the
/// embedding that this gate weighs; a block without norms of heads has no `q_norm` and `k_norm`, one without a gate no
/// `w3`, one that adds nothing to its values no `value_gate` and no embedding.
pub(crate) type Parameters<'py> = [Option<Numbers<'py>>; 13];

/// Their gradients.
pub(crate) type ParameterGradients<'py> = [Option<Output<'py>>; 13];

/// Cosines and sines of each position and pair of channels.
pub(crate) type AngleTables<'py> = (Numbers<'py>, Numbers<'py>);

/// What a block is, but for its parameters: angles, heads, epsilon of norms, the activation's name, and whether products
/// are bfloat16.
pub(crate) type Settings<'py> = (Option<AngleTables<'py>>, usize, f32, String, bool);

/// Returns the activation of a name.
pub(crate) fn activation(name: &str) -> PyResult<Activation> {
    match name {
        "silu" => Ok(Activation::Silu),
        "relu_squared" => Ok(Activation::ReluSquared),
        _ => Err(PyValueError::new_err(format!("no activation is called {name:?}"))),
    }
}

/// Returns how many numbers the forward pass of a block with these parameters keeps.
pub(crate) fn saved_len(x: &Numbers<'_>, parameters: &Parameters<'_>, num_heads: usize) -> PyResult<usize> {
    Ok(sizes(x, parameters, num_heads)?.saved_len())
}

pub(crate) fn forward(
    py: Python<'_>,
    pool: &Pool,
    parameters: &Parameters<'_>,
    settings: &Settings<'_>,
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

pub(crate) fn backward(
    py: Python<'_>,
    pool: &Pool,
    parameters: &Parameters<'_>,
    settings: &Settings<'_>,
    (x, saved, dy): (&Numbers<'_>, &Numbers<'_>, &Numbers<'_>),
    (gradients, dx): (&mut ParameterGradients<'_>, &mut Output<'_>),
) -> PyResult<()> {
    let (sizes, weights) = parts(parameters, settings, x)?;
    check(saved.len() == sizes.saved_len() && [dy.shape(), dx.shape()] == [x.shape(); 2])?;
    let fits = |(gradient, parameter): (&Option<Output<'_>>, &Option<Numbers<'_>>)| {
        gradient.as_ref().map(|x| x.shape()) == parameter.as_ref().map(|x| x.shape())
    };
    check(gradients.iter().zip(parameters).all(fits))?;
    let [ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, value_gate, embedding] = gradients;
    let gradients = Gradients {
        ln1: given_mut(ln1)?,
        q_proj: given_mut(q_proj)?,
        k_proj: given_mut(k_proj)?,
        v_proj: given_mut(v_proj)?,
        output_proj: given_mut(output_proj)?,
        head_norms: match weights.head_norms {
            None => None,
            Some(_) => Some([given_mut(q_norm)?, given_mut(k_norm)?]),
        },
        ln2: given_mut(ln2)?,
        w1: given_mut(w1)?,
        w3: match weights.w3 {
            None => None,
            Some(_) => Some(given_mut(w3)?),
        },
        w2: given_mut(w2)?,
        values: match weights.values {
            None => None,
            Some(_) => Some(ValueGradients {
                gate: given_mut(value_gate)?,
                embedding: given_mut(embedding)?,
            }),
        },
    };
    let (x, saved, dy, dx) = (x.as_slice()?, saved.as_slice()?, dy.as_slice()?, dx.as_slice_mut()?);
    py.detach(|| block_backward(pool, sizes, weights, x, saved, dy, gradients, dx));
    Ok(())
}

/// The array of a parameter that each block has.
fn given<'a, 'py>(array: &'a Option<Numbers<'py>>) -> PyResult<&'a Numbers<'py>> {
    array.as_ref().ok_or_else(misfit)
}

fn given_mut<'a>(array: &'a mut Option<Output<'_>>) -> PyResult<&'a mut [f32]> {
    Ok(array.as_mut().ok_or_else(misfit)?.as_slice_mut()?)
}

fn sizes(x: &Numbers<'_>, parameters: &Parameters<'_>, num_heads: usize) -> PyResult<Sizes> {
    check(x.ndim() == 3 && num_heads > 0 && x.shape()[2].is_multiple_of(num_heads))?;
    let [.., q_norm, k_norm, _, w1, w3, _, value_gate, embedding] = parameters;
    let w1 = given(w1)?;
    check(w1.ndim() == 2 && q_norm.is_some() == k_norm.is_some() && value_gate.is_some() == embedding.is_some())?;
    check(
        value_gate
            .as_ref()
            .is_none_or(|gate| gate.ndim() == 2 && (1..=x.shape()[2]).contains(&gate.shape()[1])),
    )?;
    Ok(Sizes {
        num_sequences: x.shape()[0],
        num_positions: x.shape()[1],
        num_heads,
        d_model: x.shape()[2],
        d_ff: w1.shape()[0],
        is_gated: w3.is_some(),
        norms_heads: q_norm.is_some(),
        value_channels: value_gate.as_ref().map_or(0, |gate| gate.shape()[1]),
    })
}

fn parts<'a>(
    parameters: &'a Parameters<'_>,
    (angles, num_heads, eps, name, bfloat16): &'a Settings<'_>,
    x: &Numbers<'_>,
) -> PyResult<(Sizes, Weights<'a>)> {
    let sizes = sizes(x, parameters, *num_heads)?;
    let activation = activation(name)?;
    let (d, f, head) = (sizes.d_model, sizes.d_ff, sizes.d_model / sizes.num_heads);
    let shapes: [&[usize]; 13] = [
        &[d],
        &[d, d],
        &[d, d],
        &[d, d],
        &[d, d],
        &[head],
        &[head],
        &[d],
        &[f, d],
        &[f, d],
        &[d, f],
        &[sizes.num_heads, sizes.value_channels],
        x.shape(),
    ];
    let fits = |(array, shape): (&Option<Numbers<'_>>, &[usize])| array.as_ref().is_none_or(|x| x.shape() == shape);
    check(parameters.iter().zip(shapes).all(fits))?;
    check(activation == Activation::Silu || !sizes.is_gated)?;
    let [ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, value_gate, embedding] = parameters;
    let angles = match angles {
        None => None,
        Some((cos, sin)) => {
            let num_positions = sizes.num_positions;
            check(head.is_multiple_of(2) && [cos.shape(), sin.shape()] == [[num_positions, head / 2]; 2])?;
            let (cos, sin) = (cos.as_slice()?, sin.as_slice()?);
            Some(Angles {
                cos,
                sin,
                num_positions,
            })
        }
    };
    let weights = Weights {
        ln1: given(ln1)?.as_slice()?,
        q_proj: given(q_proj)?.as_slice()?,
        k_proj: given(k_proj)?.as_slice()?,
        v_proj: given(v_proj)?.as_slice()?,
        output_proj: given(output_proj)?.as_slice()?,
        head_norms: match (q_norm, k_norm) {
            (Some(q_norm), Some(k_norm)) => Some([q_norm.as_slice()?, k_norm.as_slice()?]),
            _ => None,
        },
        ln2: given(ln2)?.as_slice()?,
        w1: given(w1)?.as_slice()?,
        w3: match w3 {
            Some(w3) => Some(w3.as_slice()?),
            None => None,
        },
        w2: given(w2)?.as_slice()?,
        values: match (value_gate, embedding) {
            (Some(gate), Some(embedding)) => Some(Values {
                gate: gate.as_slice()?,
                embedding: embedding.as_slice()?,
            }),
            _ => None,
        },
        activation,
        eps: *eps,
        precision: precision(*bfloat16),
        angles,
    };
    Ok((sizes, weights))
}
