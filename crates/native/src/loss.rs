//! `Kernels`' output head and loss: arrays to the operation's parts.

use homespun_kernels::loss::{cross_entropy, Gradients, Settings};
use homespun_kernels::pool::Pool;
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use crate::arrays::{check, check_indices, Indices, Numbers, Output};

/// Computes the losses of hidden states, a weight and targets, and the gradients whose arrays are there, for losses whose own
/// is the scale.
pub(crate) fn head_loss(
    py: Python<'_>,
    pool: &Pool,
    settings: Settings,
    (hidden, weight, targets): (&Numbers<'_>, &Numbers<'_>, &Indices<'_>),
    losses: &mut Output<'_>,
    (scale, dhidden, dweight): (f32, Option<&mut Output<'_>>, Option<&mut Output<'_>>),
) -> PyResult<()> {
    check(hidden.ndim() == 2 && weight.ndim() == 2 && hidden.shape()[1] == weight.shape()[1])?;
    let (num_tokens, num_entries) = (hidden.shape()[0], weight.shape()[0]);
    let (hidden, weight) = (hidden.as_slice()?, weight.as_slice()?);
    let (targets, losses) = (targets.as_slice()?, losses.as_slice_mut()?);
    check([targets.len(), losses.len()] == [num_tokens; 2])?;
    check(settings.soft_cap.is_none_or(|cap| cap > 0.0))?;
    check_indices(targets, num_entries)?;
    let gradients = match (dhidden, dweight) {
        (Some(dhidden), Some(dweight)) => Some(Gradients {
            dhidden: dhidden.as_slice_mut()?,
            dweight: dweight.as_slice_mut()?,
            scale,
        }),
        _ => None,
    };
    let fits =
        |gradients: &Gradients<'_>| gradients.dhidden.len() == hidden.len() && gradients.dweight.len() == weight.len();
    check(gradients.as_ref().is_none_or(fits))?;
    py.detach(|| cross_entropy(pool, settings, hidden, weight, targets, losses, gradients));
    Ok(())
}
