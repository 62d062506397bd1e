//! Merging a run of one byte, however long: counted, not walked.
//!
//! A step on n equal symbols halves them, so a handful of (symbol, how many) describe the piece at any moment.

use super::pairs::{PairTable, Rank, Step};
use crate::vocab::Symbol;

/// Equal symbols side by side.
type Run = (Symbol, usize);

/// Merge `len` times `symbol`; hand each symbol that is left to `emit`, from left to right.
pub fn merge_run(pairs: &PairTable, symbol: Symbol, len: usize, mut emit: impl FnMut(Symbol)) {
    let mut runs = vec![(symbol, len)];
    let mut floor = 0;
    while let Some(rank) = first_rank(pairs, &runs, floor) {
        runs = apply(pairs, rank, &runs);
        floor = rank;
    }
    for (symbol, len) in runs {
        (0..len).for_each(|_| emit(symbol));
    }
}

/// The lowest rank, not below `floor`, of a pair that stands in `runs`.
fn first_rank(pairs: &PairTable, runs: &[Run], floor: Rank) -> Option<Rank> {
    let inside = runs.iter().filter(|run| run.1 > 1).map(|run| (run.0, run.0));
    let between = runs.windows(2).map(|two| (two[0].0, two[1].0));
    let step = inside
        .chain(between)
        .map(|(left, right)| pairs.step(left, right, floor))
        .min()?;
    (step != Step::NEVER).then(|| step.rank())
}

/// Join all pairs of this rank, from left to right.
fn apply(pairs: &PairTable, rank: Rank, runs: &[Run]) -> Vec<Run> {
    let merge = pairs.merge(rank);
    let mut applied: Vec<Run> = Vec::new();
    let mut push = |symbol, len| match applied.last_mut() {
        Some(last) if last.0 == symbol => last.1 += len,
        _ if len > 0 => applied.push((symbol, len)),
        _ => {}
    };
    let mut taken = 0; // of the run at hand, by a merge with the run before it
    for (k, &(symbol, len)) in runs.iter().enumerate() {
        let len = len - std::mem::take(&mut taken);
        if merge.left == symbol && merge.right == symbol {
            push(merge.merged, len / 2);
            push(symbol, len % 2);
        } else if len > 0 && merge.left == symbol && runs.get(k + 1).is_some_and(|next| next.0 == merge.right) {
            push(symbol, len - 1);
            push(merge.merged, 1);
            taken = 1;
        } else {
            push(symbol, len);
        }
    }
    applied
}
