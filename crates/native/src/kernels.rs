//! `Kernels`: the operations of a training step on contiguous float32 arrays, which share the memory of tensors.

use homespun_kernels::loss::Settings;
use homespun_kernels::matmul::{multiply, Start};
use homespun_kernels::muon::Muon;
use homespun_kernels::optimizer::AdamW;
use homespun_kernels::pool::Pool;
use homespun_kernels::{embedding, gate, norm, optimizer, rope};
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use crate::arrays::{
    check, check_indices, matrix, muon_parameters, optimizer_parameters, precision, slices, slices_mut, Indices,
    MuonState, Numbers, OptimizerState, Output,
};
use crate::{attention, block, loss, residual};

/// Operations, whose work a number of threads shares.
#[pyclass(frozen, module = "homespun._native")]
pub struct Kernels {
    pool: Pool,
}

#[pymethods]
impl Kernels {
    #[new]
    fn new(num_threads: usize) -> Self {
        Self {
            pool: Pool::new(num_threads),
        }
    }

    /// Computes `c = a b`, or `c += a b` where it `adds`, with `a` and `b` as they lie or transposed, and as they are or
    /// rounded to bfloat16.
    #[pyo3(signature = (a, transposes_a, b, transposes_b, c, adds, bfloat16 = false))]
    #[expect(clippy::too_many_arguments, reason = "two matrices, how they lie, and the result")]
    fn multiply(
        &self,
        py: Python<'_>,
        a: Numbers<'_>,
        transposes_a: bool,
        b: Numbers<'_>,
        transposes_b: bool,
        mut c: Output<'_>,
        adds: bool,
        bfloat16: bool,
    ) -> PyResult<()> {
        let (a, b) = (matrix(&a, transposes_a)?, matrix(&b, transposes_b)?);
        let c = c.as_slice_mut()?;
        check(a.num_columns() == b.num_rows() && c.len() == a.num_rows() * b.num_columns())?;
        let start = if adds { Start::Sum } else { Start::Zero };
        py.detach(|| multiply(&self.pool, precision(bfloat16), a, b, c, start));
        Ok(())
    }

    /// Adds each row of `drows` to the row of `dtable` that its id names.
    fn add_rows(&self, py: Python<'_>, ids: Indices<'_>, drows: Numbers<'_>, mut dtable: Output<'_>) -> PyResult<()> {
        check(dtable.ndim() == 2)?;
        let (num_rows, width) = (dtable.shape()[0], dtable.shape()[1]);
        let (ids, drows, dtable) = (ids.as_slice()?, drows.as_slice()?, dtable.as_slice_mut()?);
        check(drows.len() == ids.len() * width)?;
        check_indices(ids, num_rows)?;
        py.detach(|| embedding::add_rows(&self.pool, ids, drows, dtable, width));
        Ok(())
    }

    /// Computes `y` and each row's 1 / sqrt(mean(x**2) + eps).
    fn normalize(
        &self,
        py: Python<'_>,
        x: Numbers<'_>,
        weight: Numbers<'_>,
        eps: f32,
        mut y: Output<'_>,
        mut inverse_rms: Output<'_>,
    ) -> PyResult<()> {
        let (x, weight) = (x.as_slice()?, weight.as_slice()?);
        let (y, inverse_rms) = (y.as_slice_mut()?, inverse_rms.as_slice_mut()?);
        check([x.len(), y.len()] == [inverse_rms.len() * weight.len(); 2])?;
        py.detach(|| norm::rms_norm(&self.pool, x, weight, eps, y, inverse_rms));
        Ok(())
    }

    /// Computes the gradient of `x`, and adds the weight's to `dweight`.
    #[expect(
        clippy::too_many_arguments,
        reason = "what the forward pass was given and gave, and the results"
    )]
    fn normalize_backward(
        &self,
        py: Python<'_>,
        dy: Numbers<'_>,
        x: Numbers<'_>,
        weight: Numbers<'_>,
        inverse_rms: Numbers<'_>,
        mut dx: Output<'_>,
        mut dweight: Output<'_>,
    ) -> PyResult<()> {
        let (dy, x, weight, inverse_rms) = (
            dy.as_slice()?,
            x.as_slice()?,
            weight.as_slice()?,
            inverse_rms.as_slice()?,
        );
        let (dx, dweight) = (dx.as_slice_mut()?, dweight.as_slice_mut()?);
        check([dy.len(), x.len(), dx.len()] == [inverse_rms.len() * weight.len(); 3] && dweight.len() == weight.len())?;
        py.detach(|| norm::rms_norm_backward(&self.pool, dy, x, weight, inverse_rms, dx, dweight));
        Ok(())
    }

    /// Computes `silu(a) * b`.
    fn silu_gate(&self, py: Python<'_>, a: Numbers<'_>, b: Numbers<'_>, mut out: Output<'_>) -> PyResult<()> {
        let (a, b, out) = (a.as_slice()?, b.as_slice()?, out.as_slice_mut()?);
        check([a.len(), b.len()] == [out.len(); 2])?;
        py.detach(|| gate::silu_gate(&self.pool, a, b, out));
        Ok(())
    }

    /// Computes the gradients of `a` and `b`.
    fn silu_gate_backward(
        &self,
        py: Python<'_>,
        dout: Numbers<'_>,
        a: Numbers<'_>,
        b: Numbers<'_>,
        mut da: Output<'_>,
        mut db: Output<'_>,
    ) -> PyResult<()> {
        let (dout, a, b) = (dout.as_slice()?, a.as_slice()?, b.as_slice()?);
        let (da, db) = (da.as_slice_mut()?, db.as_slice_mut()?);
        check([a.len(), b.len(), da.len(), db.len()] == [dout.len(); 4])?;
        py.detach(|| gate::silu_gate_backward(&self.pool, dout, a, b, da, db));
        Ok(())
    }

    /// Computes an activation, `silu` or `relu_squared`.
    fn activate(&self, py: Python<'_>, name: &str, a: Numbers<'_>, mut out: Output<'_>) -> PyResult<()> {
        let (activation, a, out) = (block::activation(name)?, a.as_slice()?, out.as_slice_mut()?);
        check(a.len() == out.len())?;
        py.detach(|| gate::activate(&self.pool, activation, a, out));
        Ok(())
    }

    /// Computes the gradient of `a`.
    fn activate_backward(
        &self,
        py: Python<'_>,
        name: &str,
        dout: Numbers<'_>,
        a: Numbers<'_>,
        mut da: Output<'_>,
    ) -> PyResult<()> {
        let activation = block::activation(name)?;
        let (dout, a, da) = (dout.as_slice()?, a.as_slice()?, da.as_slice_mut()?);
        check([dout.len(), da.len()] == [a.len(); 2])?;
        py.detach(|| gate::activate_backward(&self.pool, activation, dout, a, da));
        Ok(())
    }

    /// Computes `y = scales[0] x + scales[1] other`.
    fn scaled_sum(
        &self,
        py: Python<'_>,
        x: Numbers<'_>,
        other: Numbers<'_>,
        scales: [f32; 2],
        mut y: Output<'_>,
    ) -> PyResult<()> {
        residual::forward(py, &self.pool, scales, (&x, &other), &mut y)
    }

    /// Computes the gradients of `x` and `other`, and returns those of the scales.
    #[expect(clippy::too_many_arguments, reason = "three inputs, two scales, two outputs")]
    fn scaled_sum_backward(
        &self,
        py: Python<'_>,
        scales: [f32; 2],
        dy: Numbers<'_>,
        x: Numbers<'_>,
        other: Numbers<'_>,
        mut dx: Output<'_>,
        mut dother: Output<'_>,
    ) -> PyResult<[f64; 2]> {
        residual::backward(py, &self.pool, scales, (&dy, &x, &other), (&mut dx, &mut dother))
    }

    /// Rotates channel pairs of `x`, (sequence, position, head, channel), by the angles of each position.
    fn rotate(
        &self,
        py: Python<'_>,
        x: Numbers<'_>,
        cos: Numbers<'_>,
        sin: Numbers<'_>,
        mut y: Output<'_>,
    ) -> PyResult<()> {
        check(x.ndim() == 4 && cos.shape() == [x.shape()[1], x.shape()[3] / 2] && x.shape()[3] % 2 == 0)?;
        let (num_positions, num_heads) = (x.shape()[1], x.shape()[2]);
        let (x, cos, sin, y) = (x.as_slice()?, cos.as_slice()?, sin.as_slice()?, y.as_slice_mut()?);
        check(cos.len() == sin.len() && x.len() == y.len())?;
        py.detach(|| rope::rotate(&self.pool, x, cos, sin, num_positions, num_heads, y));
        Ok(())
    }

    /// Computes causal attention and the logarithm of each query's sum of exponentials; all but that lie as (sequence,
    /// position, head, channel).
    #[pyo3(signature = (q, k, v, out, logsumexp, bfloat16 = false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "three inputs, two outputs, and their precision"
    )]
    fn attention(
        &self,
        py: Python<'_>,
        q: Numbers<'_>,
        k: Numbers<'_>,
        v: Numbers<'_>,
        mut out: Output<'_>,
        mut logsumexp: Output<'_>,
        bfloat16: bool,
    ) -> PyResult<()> {
        let results = (&mut out, &mut logsumexp);
        attention::forward(py, &self.pool, precision(bfloat16), [&q, &k, &v], results)
    }

    /// Computes the gradients of queries, keys and values.
    #[pyo3(signature = (dout, q, k, v, out, logsumexp, dq, dk, dv, bfloat16 = false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "what the forward pass was given and gave, and the results"
    )]
    fn attention_backward(
        &self,
        py: Python<'_>,
        dout: Numbers<'_>,
        q: Numbers<'_>,
        k: Numbers<'_>,
        v: Numbers<'_>,
        out: Numbers<'_>,
        logsumexp: Numbers<'_>,
        mut dq: Output<'_>,
        mut dk: Output<'_>,
        mut dv: Output<'_>,
        bfloat16: bool,
    ) -> PyResult<()> {
        let given = [&dout, &q, &k, &v, &out, &logsumexp];
        let results = (&mut dq, &mut dk, &mut dv);
        attention::backward(py, &self.pool, precision(bfloat16), given, results)
    }

    /// Returns the sum of the squares of each array, in float64.
    fn sums_of_squares(&self, py: Python<'_>, arrays: Vec<Numbers<'_>>) -> PyResult<Vec<f64>> {
        let slices = slices(&arrays)?;
        Ok(py.detach(|| optimizer::sums_of_squares(&self.pool, &slices)))
    }

    /// Sets all numbers of the arrays to zero.
    fn fill_zero(&self, py: Python<'_>, mut arrays: Vec<Output<'_>>) -> PyResult<()> {
        let slices = slices_mut(&mut arrays)?;
        py.detach(|| optimizer::fill_zero(&self.pool, slices));
        Ok(())
    }

    /// Takes a step of AdamW: `state` has the parameter, its gradient, both moments, and the number of its steps.
    #[pyo3(signature = (state, lr, betas, eps, weight_decay, gradient_scale, is_cautious = false))]
    #[expect(clippy::too_many_arguments, reason = "parameters and the settings of a step")]
    fn adamw(
        &self,
        py: Python<'_>,
        mut state: Vec<OptimizerState<'_>>,
        lr: f64,
        betas: (f64, f64),
        eps: f64,
        weight_decay: f64,
        gradient_scale: f64,
        is_cautious: bool,
    ) -> PyResult<()> {
        let parameters = optimizer_parameters(&mut state)?;
        let adamw = AdamW {
            lr,
            betas,
            eps,
            weight_decay,
            is_cautious,
            gradient_scale,
        };
        py.detach(|| adamw.step(&self.pool, parameters));
        Ok(())
    }

    /// Takes a step of Muon: `state` has the matrix, its gradient, its momentum, mean squares of its rows if they are evened
    /// out, and the length of its step.
    #[pyo3(signature = (state, momentum, coefficients, decay, gradient_scale, is_cautious = false, row_beta = 0.0, bfloat16 = false))]
    #[expect(clippy::too_many_arguments, reason = "matrices and the settings of a step")]
    fn muon(
        &self,
        py: Python<'_>,
        mut state: Vec<MuonState<'_>>,
        momentum: f64,
        coefficients: Vec<[f64; 3]>,
        decay: f64,
        gradient_scale: f64,
        is_cautious: bool,
        row_beta: f64,
        bfloat16: bool,
    ) -> PyResult<()> {
        let parameters = muon_parameters(&mut state)?;
        let muon = Muon {
            momentum,
            gradient_scale,
            decay,
            is_cautious,
            row_beta,
            coefficients: &coefficients,
            precision: precision(bfloat16),
        };
        py.detach(|| muon.step(&self.pool, parameters));
        Ok(())
    }

    /// Returns how many numbers `block` keeps of `x`, (sequence, position, channel).
    #[staticmethod]
    fn block_saved_len(x: Numbers<'_>, parameters: block::Parameters<'_>, num_heads: usize) -> PyResult<usize> {
        block::saved_len(&x, &parameters, num_heads)
    }

    /// Computes a block of a Transformer, and fills `saved` for the backward pass. Parameters: `ln1, q_proj, k_proj,
    /// v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, value_gate` and the embedding that is added to values; those
    /// that a block does not have are None.
    fn block(
        &self,
        py: Python<'_>,
        parameters: block::Parameters<'_>,
        settings: block::Settings<'_>,
        x: Numbers<'_>,
        mut saved: Output<'_>,
        mut y: Output<'_>,
    ) -> PyResult<()> {
        block::forward(py, &self.pool, &parameters, &settings, &x, &mut saved, &mut y)
    }

    /// Computes the gradients of a block's input and embedding, and adds those of its parameters to `gradients`.
    #[expect(
        clippy::too_many_arguments,
        reason = "what the forward pass was given and gave, and the results"
    )]
    fn block_backward(
        &self,
        py: Python<'_>,
        parameters: block::Parameters<'_>,
        settings: block::Settings<'_>,
        x: Numbers<'_>,
        saved: Numbers<'_>,
        dy: Numbers<'_>,
        mut gradients: block::ParameterGradients<'_>,
        mut dx: Output<'_>,
    ) -> PyResult<()> {
        let results = (&mut gradients, &mut dx);
        block::backward(py, &self.pool, &parameters, &settings, (&x, &saved, &dy), results)
    }

    /// Computes the loss of each target; where gradients are asked for, that of `hidden`, and adds the weight's to
    /// `dweight`, for losses whose own gradient is `scale`; factors are rounded to bfloat16 or not.
    #[pyo3(signature = (hidden, weight, targets, losses, scale, dhidden, dweight, bfloat16 = false, soft_cap = None))]
    #[expect(clippy::too_many_arguments, reason = "a head, a loss, and two gradients")]
    fn head_loss(
        &self,
        py: Python<'_>,
        hidden: Numbers<'_>,
        weight: Numbers<'_>,
        targets: Indices<'_>,
        mut losses: Output<'_>,
        scale: f32,
        mut dhidden: Option<Output<'_>>,
        mut dweight: Option<Output<'_>>,
        bfloat16: bool,
        soft_cap: Option<f32>,
    ) -> PyResult<()> {
        let gradients = (scale, dhidden.as_mut(), dweight.as_mut());
        let precision = precision(bfloat16);
        let settings = Settings { precision, soft_cap };
        loss::head_loss(
            py,
            &self.pool,
            settings,
            (&hidden, &weight, &targets),
            &mut losses,
            gradients,
        )
    }
}
