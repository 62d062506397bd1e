//! `Kernels`' attention: arrays to the operation's parts. All but logarithms of sums lie as (sequence, position, head, channel).

use homespun_kernels::attention::{attention, attention_backward, Saved, Shape};
use homespun_kernels::matmul::Precision;
use homespun_kernels::pool::Pool;
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use crate::arrays::{check, misfit, Numbers, Output};

pub(crate) fn forward(
    py: Python<'_>,
    pool: &Pool,
    precision: Precision,
    [q, k, v]: [&Numbers<'_>; 3],
    (out, logsumexp): (&mut Output<'_>, &mut Output<'_>),
) -> PyResult<()> {
    let shape = attention_shape(q, k)?;
    check(v.shape() == k.shape() && out.shape() == q.shape() && logsumexp.shape() == &q.shape()[..3])?;
    let (q, k, v) = (q.as_slice()?, k.as_slice()?, v.as_slice()?);
    let (out, logsumexp) = (out.as_slice_mut()?, logsumexp.as_slice_mut()?);
    py.detach(|| attention(pool, precision, shape, q, k, v, out, logsumexp));
    Ok(())
}

pub(crate) fn backward(
    py: Python<'_>,
    pool: &Pool,
    precision: Precision,
    [dout, q, k, v, out, logsumexp]: [&Numbers<'_>; 6],
    (dq, dk, dv): (&mut Output<'_>, &mut Output<'_>, &mut Output<'_>),
) -> PyResult<()> {
    let shape = attention_shape(q, k)?;
    check([dout.shape(), out.shape(), dq.shape()] == [q.shape(); 3] && logsumexp.shape() == &q.shape()[..3])?;
    check([v.shape(), dk.shape(), dv.shape()] == [k.shape(); 3])?;
    let saved = Saved {
        q: q.as_slice()?,
        k: k.as_slice()?,
        v: v.as_slice()?,
        out: out.as_slice()?,
        logsumexp: logsumexp.as_slice()?,
    };
    let (dq, dk, dv) = (dq.as_slice_mut()?, dk.as_slice_mut()?, dv.as_slice_mut()?);
    let dout = dout.as_slice()?;
    py.detach(|| attention_backward(pool, precision, shape, dout, saved, dq, dk, dv));
    Ok(())
}

fn attention_shape(q: &Numbers<'_>, k: &Numbers<'_>) -> PyResult<Shape> {
    let (&[num_sequences, num_queries, num_heads, head_width], &[_, num_keys, ..]) = (q.shape(), k.shape()) else {
        return Err(misfit());
    };
    check(k.shape() == [num_sequences, num_keys, num_heads, head_width] && num_queries <= num_keys)?;
    Ok(Shape {
        num_sequences,
        num_queries,
        num_keys,
        num_heads,
        head_width,
    })
}
