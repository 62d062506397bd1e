//! The output head and cross-entropy in one: logits of some tokens at a time become losses and gradients while they are
//! in the cache.
//!
//! Logits lie by vocabulary entry, so that what is done to each token is done to the places of a vector.

use std::cell::Cell;

use crate::level::{Level, Work};
use crate::matmul::{multiply, Matrix, Precision, Start};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Tokens whose logits are computed at a time.
const BLOCK: usize = 256;

/// Vocabulary entries that a thread takes at a time; the order of sums depends on it.
const PIECE: usize = 128;

thread_local! {
    static LOGITS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Where the gradients go.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// Of the hidden states; overwritten.
    pub dhidden: &'a mut [f32],
    /// Of the weight; added to it, token by token.
    pub dweight: &'a mut [f32],
    /// The gradient of each token's loss.
    pub scale: f32,
}

/// Computes each token's cross-entropy, in nats, of the logits `weight hidden`, and the gradients where they are asked for,
/// in products of a precision.
///
/// `hidden` is a row a token, `weight` a row a vocabulary entry.
///
/// # Panics
/// If the lengths do not fit, or a target is no entry of the vocabulary.
pub fn cross_entropy(
    pool: &Pool,
    precision: Precision,
    hidden: &[f32],
    weight: &[f32],
    targets: &[i64],
    losses: &mut [f32],
    mut gradients: Option<Gradients<'_>>,
) {
    let num_tokens = targets.len();
    assert_eq!(losses.len(), num_tokens, "losses");
    if num_tokens == 0 {
        return;
    }
    let width = hidden.len() / num_tokens;
    assert_eq!(hidden.len(), num_tokens * width, "hidden states");
    let num_entries = weight.len() / width;
    assert_eq!(weight.len(), num_entries * width, "a weight");
    assert!(
        targets.iter().all(|target| (0..num_entries as i64).contains(target)),
        "targets of the vocabulary"
    );
    let level = Level::current();
    let mut buffer = LOGITS.take();
    let size = num_entries * BLOCK.min(num_tokens);
    if buffer.len() < size {
        buffer.resize(size, 0.0);
    }
    for first in (0..num_tokens).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(num_tokens);
        let logits = &mut buffer[..num_entries * block.len()];
        let x = Matrix::by_rows(&hidden[block.start * width..block.end * width], block.len(), width);
        let w = Matrix::by_rows(weight, num_entries, width);
        multiply(pool, precision, w, x.transposed(), logits, Start::Zero);
        let targets = &targets[block.clone()];
        let sums = exponentials(pool, level, logits, targets, &mut losses[block.clone()]);
        let Some(Gradients {
            dhidden,
            dweight,
            scale,
        }) = &mut gradients
        else {
            continue;
        };
        let factors: Vec<f32> = sums.iter().map(|sum| *scale / sum).collect();
        let pieces = logits.chunks_mut(PIECE * block.len()).enumerate();
        pool.for_each(pieces, |(piece, logits)| {
            level.run(LogitGradients {
                logits,
                factors: &factors,
                targets,
                scale: *scale,
                first_entry: piece * PIECE,
            });
        });
        let dlogits = Matrix::by_rows(logits, num_entries, block.len());
        let dx = &mut dhidden[block.start * width..block.end * width];
        multiply(pool, precision, dlogits.transposed(), w, dx, Start::Zero);
        multiply(pool, precision, dlogits, x, dweight, Start::Sum);
    }
    LOGITS.set(buffer);
}

/// Replaces logits by their exponentials below each token's greatest, and returns the sum of each token.
fn exponentials(pool: &Pool, level: Level, logits: &mut [f32], targets: &[i64], losses: &mut [f32]) -> Vec<f32> {
    let num_tokens = targets.len();
    let num_pieces = logits.len().div_ceil(PIECE * num_tokens);
    let mut greatest = vec![f32::NEG_INFINITY; num_pieces * num_tokens];
    let pieces = logits.chunks(PIECE * num_tokens).zip(greatest.chunks_mut(num_tokens));
    pool.for_each(pieces, |(logits, greatest)| level.run(Greatest { logits, greatest }));
    let (max, others) = greatest.split_at_mut(num_tokens);
    for other in others.chunks(num_tokens) {
        max.iter_mut()
            .zip(other)
            .for_each(|(max, other)| *max = max.max(*other));
    }
    for (token, (loss, target)) in losses.iter_mut().zip(targets).enumerate() {
        *loss = max[token] - logits[*target as usize * num_tokens + token];
    }
    let max = &*max;
    let mut sums = vec![0.0; num_pieces * num_tokens];
    let pieces = logits.chunks_mut(PIECE * num_tokens).zip(sums.chunks_mut(num_tokens));
    pool.for_each(pieces, |(logits, sums)| level.run(Exponentials { logits, max, sums }));
    let (sum, others) = sums.split_at_mut(num_tokens);
    for other in others.chunks(num_tokens) {
        sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    losses.iter_mut().zip(&*sum).for_each(|(loss, sum)| *loss += sum.ln());
    sums.truncate(num_tokens);
    sums
}

struct Greatest<'a> {
    logits: &'a [f32],
    greatest: &'a mut [f32],
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

struct Exponentials<'a> {
    logits: &'a mut [f32],
    max: &'a [f32],
    sums: &'a mut [f32],
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

/// Replaces exponentials by the gradients of the logits: (softmax - 1 at the target) * scale.
struct LogitGradients<'a> {
    logits: &'a mut [f32],
    factors: &'a [f32],
    targets: &'a [i64],
    scale: f32,
    first_entry: usize,
}

impl Work for LogitGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let num_tokens = self.targets.len();
        for logits in self.logits.chunks_exact_mut(num_tokens) {
            rows::update::<V, 1>(logits, [self.factors], |value, [factor]| value.mul(factor));
        }
        let entries = self.first_entry..self.first_entry + self.logits.len() / num_tokens;
        for (token, target) in self.targets.iter().enumerate() {
            if entries.contains(&(*target as usize)) {
                self.logits[(*target as usize - entries.start) * num_tokens + token] -= self.scale;
            }
        }
    }
}
