//! The output head and cross-entropy in one: logits of some tokens at a time become losses and gradients while they are
//! in the cache.
//!
//! Logits lie by vocabulary entry, so that what is done to each token is done to the places of a vector.

mod numbers;

use std::cell::Cell;

use crate::huge::at_least;
use crate::level::Level;
use crate::matmul::{multiply_rows, pack_shared, packed_len, Matrix, Panels, Precision, Product, Start};
use crate::pool::Pool;
use crate::vector::MAX_TILE_ROWS;
use numbers::{Add, CappedGradients, Exponentials, Greatest, Scale, SoftCap, SumExponentials};

/// Tokens whose logits are computed at a time.
const BLOCK: usize = 256;

/// Vocabulary entries that a thread takes at a time; the order of sums depends on it.
const PIECE: usize = 96;

/// Groups of entries whose parts of the hidden states' gradients are computed by themselves, then added; the order of sums
/// depends on it, so it does not depend on the threads.
const GROUPS: usize = 8;

/// Numbers of a sum of parts that a thread takes at a time.
const PIECE_SUM: usize = 1 << 13;

/// Memory of the caller's thread, kept for the next loss.
#[derive(Default)]
struct Buffers {
    logits: Vec<f32>,
    /// Packed, for the gradients of hidden states.
    weight: Vec<f32>,
    hidden: Vec<f32>,
    parts: Vec<f32>,
}

thread_local! {
    static BUFFERS: Cell<Box<Buffers>> = Cell::default();
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

/// How a loss is computed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Of the products.
    pub precision: Precision,
    /// The bound c of the logits, which become c tanh(logit / c).
    pub soft_cap: Option<f32>,
}

/// Computes each token's cross-entropy, in nats, of the logits `weight hidden`, and the gradients where they are asked
/// for.
///
/// `hidden` is a row a token, `weight` a row a vocabulary entry.
///
/// # Panics
/// If the lengths do not fit, or a target is no entry of the vocabulary.
pub fn cross_entropy(
    pool: &Pool,
    settings: Settings,
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
    let (level, Settings { precision, soft_cap }) = (Level::current(), settings);
    let mut buffers = BUFFERS.take();
    let with_gradients = gradients.is_some();
    let w = Matrix::by_rows(weight, num_entries, width);
    let weight_len = if with_gradients {
        packed_len(precision, level, w)
    } else {
        0
    };
    let weight_panels = with_gradients.then(|| {
        let [panels] = pack_shared(pool, precision, level, [w], at_least(&mut buffers.weight, weight_len));
        panels
    });
    for first in (0..num_tokens).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(num_tokens);
        let rows = block.start * width..block.end * width;
        let x = Matrix::by_rows(&hidden[rows.clone()], block.len(), width);
        let both = [x.transposed(), x];
        let len = both.iter().map(|x| packed_len(precision, level, *x)).sum();
        let [columns, hidden] = pack_shared(pool, precision, level, both, at_least(&mut buffers.hidden, len));
        let logits = at_least(&mut buffers.logits, num_entries * block.len());
        let targets = &targets[block.clone()];
        let greatest = compute_logits(pool, level, (weight, width), columns, soft_cap, logits, block.len());
        let sums = exponentials(pool, level, logits, &greatest, soft_cap, targets, &mut losses[block]);
        let (Some(gradients), Some(weight)) = (&mut gradients, weight_panels) else {
            continue;
        };
        let dlogits = LogitGradients {
            level,
            factors: &sums.iter().map(|sum| gradients.scale / sum).collect::<Vec<_>>(),
            capped: soft_cap.map(|cap| (cap, &greatest[..])),
            targets,
            scale: gradients.scale,
            hidden,
            weight,
            width,
        };
        let parts = at_least(&mut buffers.parts, GROUPS * rows.len());
        dlogits.compute(pool, logits, gradients.dweight, parts);
        add_parts(pool, level, parts, &mut gradients.dhidden[rows]);
    }
    BUFFERS.set(buffers);
}

/// Computes the logits of all entries, bounded where there is a bound, and returns the greatest of each token.
fn compute_logits(
    pool: &Pool,
    level: Level,
    (weight, width): (&[f32], usize),
    hidden: Panels<'_>,
    soft_cap: Option<f32>,
    logits: &mut [f32],
    num_tokens: usize,
) -> Vec<f32> {
    let mut greatest = vec![f32::NEG_INFINITY; logits.len().div_ceil(PIECE * num_tokens) * num_tokens];
    let pieces = logits.chunks_mut(PIECE * num_tokens).zip(weight.chunks(PIECE * width));
    pool.for_each(
        pieces.zip(greatest.chunks_mut(num_tokens)),
        |((logits, weight), greatest)| {
            multiply_rows(level, weight, width, hidden, logits, Start::Zero);
            if let Some(cap) = soft_cap {
                level.run(SoftCap { cap, logits });
            }
            level.run(Greatest { logits, greatest });
        },
    );
    let (max, others) = greatest.split_at_mut(num_tokens);
    for other in others.chunks(num_tokens) {
        max.iter_mut()
            .zip(other)
            .for_each(|(max, other)| *max = max.max(*other));
    }
    greatest.truncate(num_tokens);
    greatest
}

/// Replaces logits by their exponentials below each token's greatest, and returns the sum of each token. Logits with a
/// bound stay: their gradients need both.
fn exponentials(
    pool: &Pool,
    level: Level,
    logits: &mut [f32],
    max: &[f32],
    soft_cap: Option<f32>,
    targets: &[i64],
    losses: &mut [f32],
) -> Vec<f32> {
    let num_tokens = targets.len();
    for (token, (loss, target)) in losses.iter_mut().zip(targets).enumerate() {
        *loss = max[token] - logits[*target as usize * num_tokens + token];
    }
    let mut sums = vec![0.0; logits.len().div_ceil(PIECE * num_tokens) * num_tokens];
    let pieces = logits.chunks_mut(PIECE * num_tokens).zip(sums.chunks_mut(num_tokens));
    pool.for_each(pieces, |(logits, sums)| match soft_cap {
        None => level.run(Exponentials { logits, max, sums }),
        Some(_) => level.run(SumExponentials { logits, max, sums }),
    });
    let (sum, others) = sums.split_at_mut(num_tokens);
    for other in others.chunks(num_tokens) {
        sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    losses.iter_mut().zip(&*sum).for_each(|(loss, sum)| *loss += sum.ln());
    sums.truncate(num_tokens);
    sums
}

/// Computes the sum of [`GROUPS`] parts, one after another.
fn add_parts(pool: &Pool, level: Level, parts: &[f32], sum: &mut [f32]) {
    let len = sum.len();
    let pieces = sum.chunks_mut(PIECE_SUM).enumerate();
    pool.for_each(pieces, |(piece, sum)| {
        let first = piece * PIECE_SUM;
        let place = first..first + sum.len();
        sum.copy_from_slice(&parts[place.clone()]);
        for part in parts.chunks_exact(len).skip(1) {
            let part = &part[place.clone()];
            level.run(Add { sum, part });
        }
    });
}

/// The gradients of the logits: (softmax - 1 at the target) * scale.
struct LogitGradients<'a> {
    level: Level,
    /// By which the exponentials of each token are multiplied.
    factors: &'a [f32],
    /// The bound of the logits and each token's greatest; where there is a bound, they are logits, else exponentials.
    capped: Option<(f32, &'a [f32])>,
    targets: &'a [i64],
    scale: f32,
    hidden: Panels<'a>,
    weight: Panels<'a>,
    width: usize,
}

impl LogitGradients<'_> {
    /// Replaces exponentials by the gradients of the logits, adds those of the weight's rows, and computes a part of those
    /// of the hidden states for each group of entries: what each product takes is in the cache.
    fn compute(&self, pool: &Pool, exponentials: &mut [f32], dweight: &mut [f32], parts: &mut [f32]) {
        let (num_tokens, width) = (self.targets.len(), self.width);
        let num_entries = dweight.len() / width;
        let group = num_entries.div_ceil(GROUPS).next_multiple_of(MAX_TILE_ROWS);
        let mut exponentials = exponentials.chunks_mut(group * num_tokens);
        let mut dweight = dweight.chunks_mut(group * width);
        let groups = parts.chunks_exact_mut(num_tokens * width).enumerate();
        let groups = groups.map(|(number, part)| (number * group, exponentials.next(), dweight.next(), part));
        pool.for_each(groups, |(first, exponentials, dweight, part)| {
            let (Some(exponentials), Some(dweight)) = (exponentials, dweight) else {
                // A small vocabulary has fewer groups.
                return part.fill(0.0);
            };
            let pieces = exponentials.chunks_mut(PIECE * num_tokens);
            for (piece, (logits, dweight)) in pieces.zip(dweight.chunks_mut(PIECE * width)).enumerate() {
                self.entries(first + piece * PIECE, logits);
                multiply_rows(self.level, logits, num_tokens, self.hidden, dweight, Start::Sum);
                let logits = Matrix::by_rows(logits, logits.len() / num_tokens, num_tokens);
                let product = Product {
                    a: logits.transposed(),
                    panels: self.weight.rows_from(first + piece * PIECE),
                    c: &mut *part,
                    stride: width,
                    num_columns: width,
                    start: if piece == 0 { Start::Zero } else { Start::Sum },
                };
                self.level.run_product(self.weight.precision, product);
            }
        });
    }

    /// Replaces the exponentials, or bounded logits, of some entries by gradients.
    fn entries(&self, first: usize, logits: &mut [f32]) {
        let (factors, num_tokens) = (self.factors, self.targets.len());
        let entries = first..first + logits.len() / num_tokens;
        let chosen = self.targets.iter().map(|target| *target as usize).enumerate();
        let chosen = chosen.filter(|(_, target)| entries.contains(target));
        let chosen = chosen.map(|(token, target)| (target - first) * num_tokens + token);
        let Some((cap, max)) = self.capped else {
            self.level.run(Scale { logits, factors });
            chosen.for_each(|place| logits[place] -= self.scale);
            return;
        };
        // d c tanh(x / c) / dx = 1 - tanh(x / c)^2
        let slope = |place: usize| 1.0 - (logits[place] / cap).powi(2);
        let of_targets: Vec<(usize, f32)> = chosen.map(|place| (place, self.scale * slope(place))).collect();
        self.level.run(CappedGradients {
            cap,
            max,
            factors,
            logits,
        });
        of_targets
            .into_iter()
            .for_each(|(place, gradient)| logits[place] -= gradient);
    }
}
