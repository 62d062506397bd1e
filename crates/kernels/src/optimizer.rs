//! What an optimizer does to all numbers of a model: the norm of gradients, and AdamW's step in one pass.

use crate::level::{Level, Work};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Numbers that a thread takes at a time.
const PIECE: usize = 1 << 14;

/// Squares that are summed in float32 before their sum is added in float64; the order of sums depends on it.
const PARTIAL: usize = 1 << 10;

/// Returns the sum of the squares of each tensor's numbers.
pub fn sums_of_squares(pool: &Pool, tensors: &[&[f32]]) -> Vec<f64> {
    let level = Level::current();
    let pieces: Vec<&[f32]> = tensors.iter().flat_map(|tensor| tensor.chunks(PIECE)).collect();
    let mut sums = vec![0.0; pieces.len()];
    pool.for_each(pieces.into_iter().zip(&mut sums), |(values, sum)| {
        *sum = level.run(SumOfSquares { values });
    });
    let mut sums = sums.into_iter();
    let of_tensor = |tensor: &&[f32]| sums.by_ref().take(tensor.len().div_ceil(PIECE)).sum();
    tensors.iter().map(of_tensor).collect()
}

pub(crate) struct SumOfSquares<'a> {
    pub values: &'a [f32],
}

impl Work for SumOfSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<V: Vector>(self) -> f64 {
        let mut sum = 0.0;
        for values in self.values.chunks(PARTIAL) {
            sum += f64::from(rows::sum::<V, 1>([values], |sum, [x]| x.mul_add(x, sum)));
        }
        sum
    }
}

/// Sets all numbers of some tensors to zero.
pub fn fill_zero<'a>(pool: &Pool, tensors: impl IntoIterator<Item = &'a mut [f32]>) {
    let pieces = tensors.into_iter().flat_map(|tensor| tensor.chunks_mut(PIECE));
    pool.for_each(pieces, |values| values.fill(0.0));
}

/// The settings of a step of AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// The learning rate.
    pub lr: f64,
    /// The decay rates of the running averages of the gradient and of its square.
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub eps: f64,
    /// Decoupled decay, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Whether only values that the step moves towards zero decay. Chen et al. 2025, arXiv:2510.12402, algorithm 1.
    pub is_cautious: bool,
    /// By which gradients are multiplied first.
    pub gradient_scale: f64,
}

/// A parameter in a step of AdamW.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// Its numbers.
    pub values: &'a mut [f32],
    /// Their gradient.
    pub gradient: &'a [f32],
    /// The running average of the gradient.
    pub mean: &'a mut [f32],
    /// The running average of its square.
    pub square: &'a mut [f32],
    /// Steps that it takes, with this one.
    pub num_steps: i32,
}

impl AdamW {
    /// Takes a step: Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2, the decay times the learning rate.
    ///
    /// # Panics
    /// If the lengths of a parameter differ.
    pub fn step(&self, pool: &Pool, parameters: Vec<Parameter<'_>>) {
        let level = Level::current();
        let pieces = parameters.into_iter().flat_map(|parameter| {
            let Parameter {
                values,
                gradient,
                mean,
                square,
                num_steps,
            } = parameter;
            assert_eq!(
                [gradient.len(), mean.len(), square.len()],
                [values.len(); 3],
                "a parameter"
            );
            let (beta1, beta2) = self.betas;
            let factors = Factors {
                gradient: self.gradient_scale as f32,
                keep: (1.0 - self.lr * self.weight_decay) as f32,
                decay: (self.lr * self.weight_decay) as f32,
                beta1: beta1 as f32,
                new1: (1.0 - beta1) as f32,
                beta2: beta2 as f32,
                new2: (1.0 - beta2) as f32,
                step: (-self.lr / (1.0 - beta1.powi(num_steps))) as f32,
                root: (1.0 / (1.0 - beta2.powi(num_steps)).sqrt()) as f32,
                eps: self.eps as f32,
            };
            let state = mean.chunks_mut(PIECE).zip(square.chunks_mut(PIECE));
            let pieces = values.chunks_mut(PIECE).zip(gradient.chunks(PIECE)).zip(state);
            let is_cautious = self.is_cautious;
            pieces.map(move |((values, gradient), (mean, square))| Step {
                factors,
                is_cautious,
                values,
                gradient,
                mean,
                square,
            })
        });
        pool.for_each(pieces, |step| level.run(step));
    }
}

#[derive(Clone, Copy)]
struct Factors {
    gradient: f32,
    keep: f32,
    decay: f32,
    beta1: f32,
    new1: f32,
    beta2: f32,
    new2: f32,
    step: f32,
    root: f32,
    eps: f32,
}

struct Step<'a> {
    factors: Factors,
    is_cautious: bool,
    values: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
}

impl Work for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let factors = self.factors;
        let gradient = V::splat(factors.gradient);
        let (beta1, new1) = (V::splat(factors.beta1), V::splat(factors.new1));
        let (beta2, new2) = (V::splat(factors.beta2), V::splat(factors.new2));
        let (keep, decay, step) = (V::splat(factors.keep), V::splat(factors.decay), V::splat(factors.step));
        let (root, eps) = (V::splat(factors.root), V::splat(factors.eps));
        rows::update::<V, 1>(self.mean, [self.gradient], |mean, [g]| {
            g.mul(gradient).mul_add(new1, mean.mul(beta1))
        });
        rows::update::<V, 1>(self.square, [self.gradient], |square, [g]| {
            let g = g.mul(gradient);
            g.mul(g).mul_add(new2, square.mul(beta2))
        });
        if self.is_cautious {
            // The step has the sign of the mean.
            rows::update::<V, 1>(self.values, [self.mean], |value, [mean]| {
                decay_cautiously(value, mean, decay)
            });
        }
        let keep = if self.is_cautious { V::splat(1.0) } else { keep };
        rows::update::<V, 2>(self.values, [self.mean, self.square], |value, [mean, square]| {
            let denominator = square.sqrt().mul_add(root, eps);
            mean.div(denominator).mul_add(step, value.mul(keep))
        });
    }
}

/// Takes a share, `decay`, off the values that a step in the direction against `direction` moves towards zero.
#[inline(always)]
pub(crate) fn decay_cautiously<V: Vector>(value: V, direction: V, decay: V) -> V {
    value.sub(value.mul(decay).where_not_negative(value.mul(direction)))
}
