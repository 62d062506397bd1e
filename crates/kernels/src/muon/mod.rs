//! A step of Muon: momentum, orthogonalized by Newton-Schulz iterations. Jordan et al. 2024,
//! https://kellerjordan.github.io/posts/muon.
//!
//! Each matrix is one piece of work, on one thread: what it needs fits the core's second-level cache or nearly so, threads
//! meet once in a step, and no sum depends on their number.

mod newton_schulz;

use std::cell::Cell;

use crate::level::{Level, Work};
use crate::matmul::Precision;
use crate::optimizer::{decay_cautiously, SumOfSquares};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;
use newton_schulz::{iterate, transpose, How, Memory};

/// Rows of a matrix whose direction is computed at a time.
const PIECE_ROWS: usize = 16;

/// Added to the norm that a direction is divided by.
const EPS: f64 = 1e-7;

/// Added to the root mean square that a row is divided by.
const ROW_EPS: f64 = 1e-8;

/// The settings of a step of Muon.
#[derive(Clone, Copy, Debug)]
pub struct Muon<'a> {
    /// The decay rate of the running average of the gradient.
    pub momentum: f64,
    /// By which gradients are multiplied first.
    pub gradient_scale: f64,
    /// What is taken off the values, as a share of them.
    pub decay: f64,
    /// Whether that is taken off only values that the step moves towards zero.
    pub is_cautious: bool,
    /// The decay rate of the running averages of rows' mean squares.
    pub row_beta: f64,
    /// The coefficients (a, b, c) of each iteration.
    pub coefficients: &'a [[f64; 3]],
    /// Of the products.
    pub precision: Precision,
}

/// A matrix in a step of Muon.
#[derive(Debug)]
pub struct MuonParameter<'a> {
    /// Its numbers, by rows.
    pub values: &'a mut [f32],
    /// Their gradient.
    pub gradient: &'a [f32],
    /// The running average of the gradient.
    pub mean: &'a mut [f32],
    /// The running average of the mean square of each orthogonalized row, by whose root the row is to be divided. Li et al.
    /// 2025 (NorMuon), arXiv:2510.05491, algorithm 1.
    pub row_squares: Option<&'a mut [f32]>,
    /// Its columns.
    pub num_columns: usize,
    /// By which the orthogonalized direction is multiplied before it is taken off the values.
    pub step: f64,
}

thread_local! {
    static MEMORY: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
}

impl Muon<'_> {
    /// Takes a step.
    ///
    /// # Panics
    /// If the lengths of a parameter do not fit.
    pub fn step(&self, pool: &Pool, mut parameters: Vec<MuonParameter<'_>>) {
        for parameter in &parameters {
            assert_eq!(
                [parameter.gradient.len(), parameter.mean.len()],
                [parameter.values.len(); 2],
                "a parameter"
            );
            assert!(
                parameter.values.is_empty() || parameter.values.len().is_multiple_of(parameter.num_columns),
                "rows of a matrix"
            );
            if let Some(squares) = &parameter.row_squares {
                assert_eq!(
                    squares.len() * parameter.num_columns,
                    parameter.values.len(),
                    "a square of each row"
                );
            }
        }
        parameters.retain(|parameter| !parameter.values.is_empty());
        // The longest first: what is left for the end is short.
        parameters.sort_by_key(|parameter| std::cmp::Reverse(parameter.values.len()));
        let how = How {
            level: Level::current(),
            precision: self.precision,
        };
        let coefficients: Vec<[f32; 3]> = self.coefficients.iter().map(|row| row.map(|x| x as f32)).collect();
        pool.for_each(parameters, |parameter| {
            let mut memory = MEMORY.take().unwrap_or_default();
            self.update(how, &coefficients, parameter, &mut memory);
            MEMORY.set(Some(memory));
        });
    }

    fn update(&self, how: How, coefficients: &[[f32; 3]], parameter: MuonParameter<'_>, memory: &mut Memory) {
        let MuonParameter {
            values,
            gradient,
            mean,
            row_squares,
            num_columns,
            step,
        } = parameter;
        let (num_rows, level) = (values.len() / num_columns, how.level);
        let (long, short) = (num_rows.max(num_columns), num_rows.min(num_columns));
        let is_wide = num_rows < num_columns;
        memory.y.resize(values.len(), 0.0);
        memory.rows.resize(PIECE_ROWS * num_columns, 0.0);
        let piece = PIECE_ROWS * num_columns;
        let mut square = 0.0;
        for (number, (gradient, mean)) in gradient.chunks(piece).zip(mean.chunks_mut(piece)).enumerate() {
            let direction = if is_wide {
                &mut memory.rows[..gradient.len()]
            } else {
                &mut memory.y[number * piece..][..gradient.len()]
            };
            level.run(Direction {
                gradient_scale: self.gradient_scale as f32,
                momentum: self.momentum as f32,
                new: (1.0 - self.momentum) as f32,
                gradient,
                mean,
                direction: &mut *direction,
            });
            square += level.run(SumOfSquares { values: direction });
            if is_wide {
                let shape = (gradient.len() / num_columns, num_columns);
                let to = &mut memory.y[number * PIECE_ROWS..];
                transpose((&memory.rows, num_columns), shape, (to, num_rows));
            }
        }
        let factor = (1.0 / (square.sqrt() + EPS)) as f32;
        let y = &mut memory.y;
        level.run(Scale { factor, values: y });
        iterate(how, coefficients, long, short, memory);
        let Memory { y, next, .. } = memory;
        if is_wide {
            transpose((y, num_rows), (num_columns, num_rows), (next, num_columns));
        }
        let direction = if is_wide { &*next } else { &*y };
        let step = -step as f32;
        let update = |direction, values, step| {
            level.run(Update {
                is_cautious: self.is_cautious,
                decay: self.decay as f32,
                step,
                direction,
                values,
            });
        };
        match row_squares {
            None => update(direction, values, step),
            Some(squares) => {
                let factors = self.even_out(level, direction, num_columns, squares);
                let rows = direction
                    .chunks_exact(num_columns)
                    .zip(values.chunks_exact_mut(num_columns));
                for ((direction, values), factor) in rows.zip(factors) {
                    update(direction, values, step * factor);
                }
            }
        }
    }

    /// Updates the mean squares of rows, and returns what each row is multiplied by: one over the root of its mean square,
    /// times what restores the norm of the matrix.
    fn even_out(&self, level: Level, matrix: &[f32], num_columns: usize, squares: &mut [f32]) -> Vec<f32> {
        let (mut before, mut after) = (0.0, 0.0);
        let rows = matrix.chunks_exact(num_columns).zip(squares);
        let factors: Vec<f64> = rows
            .map(|(values, square)| {
                let mean = level.run(SumOfSquares { values }) / num_columns as f64;
                let updated = f64::from(*square) * self.row_beta + mean * (1.0 - self.row_beta);
                *square = updated as f32;
                let factor = 1.0 / (updated.sqrt() + ROW_EPS);
                before += mean;
                after += mean * factor * factor;
                factor
            })
            .collect();
        // A matrix of zeros stays one.
        let restored = if after > 0.0 { (before / after).sqrt() } else { 0.0 };
        factors.iter().map(|factor| (factor * restored) as f32).collect()
    }
}

/// Adds a gradient to the running average, and computes the direction that looks a step ahead.
struct Direction<'a> {
    gradient_scale: f32,
    momentum: f32,
    new: f32,
    gradient: &'a [f32],
    mean: &'a mut [f32],
    direction: &'a mut [f32],
}

impl Work for Direction<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let scale = V::splat(self.gradient_scale);
        let (momentum, new) = (V::splat(self.momentum), V::splat(self.new));
        rows::update::<V, 1>(self.mean, [self.gradient], |mean, [g]| {
            g.mul(scale).mul_add(new, mean.mul(momentum))
        });
        rows::map::<V, 2, 1>([self.gradient, self.mean], [self.direction], |[g, mean]| {
            [g.mul(scale).mul_add(new, mean.mul(momentum))]
        });
    }
}

struct Scale<'a> {
    factor: f32,
    values: &'a mut [f32],
}

impl Work for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let factor = V::splat(self.factor);
        rows::update::<V, 0>(self.values, [], |value, []| value.mul(factor));
    }
}

/// Takes a direction off values that have decayed.
struct Update<'a> {
    is_cautious: bool,
    decay: f32,
    step: f32,
    direction: &'a [f32],
    values: &'a mut [f32],
}

impl Work for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (keep, decay) = (V::splat(1.0 - self.decay), V::splat(self.decay));
        let step = V::splat(self.step);
        if self.is_cautious {
            rows::update::<V, 1>(self.values, [self.direction], |value, [direction]| {
                direction.mul_add(step, decay_cautiously(value, direction, decay))
            });
        } else {
            rows::update::<V, 1>(self.values, [self.direction], |value, [direction]| {
                direction.mul_add(step, value.mul(keep))
            });
        }
    }
}
