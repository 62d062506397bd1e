//! What is done to each logit: its bound, exponential and gradient.

use crate::level::Work;
use crate::rows;
use crate::vector::Vector;

pub(super) struct Add<'a> {
    pub sum: &'a mut [f32],
    pub part: &'a [f32],
}

impl Work for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        rows::update::<V, 1>(self.sum, [self.part], |sum, [part]| sum.add(part));
    }
}

pub(super) struct Greatest<'a> {
    pub logits: &'a [f32],
    pub greatest: &'a mut [f32],
}

impl Work for Greatest<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for logits in self.logits.chunks_exact(self.greatest.len()) {
            rows::update::<V, 1>(self.greatest, [logits], |greatest, [logit]| logit.max(greatest));
        }
    }
}

pub(super) struct Exponentials<'a> {
    pub logits: &'a mut [f32],
    pub max: &'a [f32],
    pub sums: &'a mut [f32],
}

impl Work for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for logits in self.logits.chunks_exact_mut(self.sums.len()) {
            rows::update::<V, 1>(logits, [self.max], |logit, [max]| logit.sub(max).exp());
            rows::update::<V, 1>(self.sums, [logits], |sum, [value]| sum.add(value));
        }
    }
}

/// Adds exponentials of logits, which stay.
pub(super) struct SumExponentials<'a> {
    pub logits: &'a [f32],
    pub max: &'a [f32],
    pub sums: &'a mut [f32],
}

impl Work for SumExponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for logits in self.logits.chunks_exact(self.sums.len()) {
            rows::update::<V, 2>(self.sums, [logits, self.max], |sum, [logit, max]| {
                sum.add(logit.sub(max).exp())
            });
        }
    }
}

/// Bounds logits: `cap * tanh(logit / cap)`. Gemma Team 2024 (Gemma 2), arXiv:2408.00118, section 2.
pub(super) struct SoftCap<'a> {
    pub cap: f32,
    pub logits: &'a mut [f32],
}

impl Work for SoftCap<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (cap, inverse) = (V::splat(self.cap), V::splat(1.0 / self.cap));
        rows::update::<V, 0>(self.logits, [], |logit, []| logit.mul(inverse).tanh().mul(cap));
    }
}

/// Replaces bounded logits by the gradients of what was bounded, but for the targets' ones.
pub(super) struct CappedGradients<'a> {
    pub cap: f32,
    pub max: &'a [f32],
    pub factors: &'a [f32],
    pub logits: &'a mut [f32],
}

impl Work for CappedGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let inverse = V::splat(1.0 / self.cap);
        for logits in self.logits.chunks_exact_mut(self.factors.len()) {
            rows::update::<V, 2>(logits, [self.max, self.factors], |logit, [max, factor]| {
                let tanh = logit.mul(inverse);
                let slope = V::splat(0.0).sub(tanh).mul_add(tanh, V::splat(1.0));
                logit.sub(max).exp().mul(factor).mul(slope)
            });
        }
    }
}

/// Multiplies the numbers of each token by its factor.
pub(super) struct Scale<'a> {
    pub logits: &'a mut [f32],
    pub factors: &'a [f32],
}

impl Work for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for logits in self.logits.chunks_exact_mut(self.factors.len()) {
            rows::update::<V, 1>(logits, [self.factors], |value, [factor]| value.mul(factor));
        }
    }
}
