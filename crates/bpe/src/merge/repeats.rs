//! Merging one byte repeated any number of times.
//!
//! A merge of n equal symbols halves their number, so at any moment a few (symbol, count) pairs describe the whole piece.

use super::pair_table::{PairTable, Rank, Step};
use crate::vocab::Symbol;

/// Equal neighbouring symbols, and how many.
type Repeat = (Symbol, usize);

/// Merges `len` times `symbol`; passes the remaining symbols to `emit`, from left to right.
pub fn merge_repeats(pairs: &PairTable, symbol: Symbol, len: usize, mut emit: impl FnMut(Symbol)) {
    let mut repeats = vec![(symbol, len)];
    let mut floor = 0;
    while let Some(rank) = first_rank(pairs, &repeats, floor) {
        repeats = apply(pairs, rank, &repeats);
        floor = rank;
    }
    for (symbol, len) in repeats {
        (0..len).for_each(|_| emit(symbol));
    }
}

/// Returns the lowest rank, not below `floor`, of a pair that occurs in `repeats`.
fn first_rank(pairs: &PairTable, repeats: &[Repeat], floor: Rank) -> Option<Rank> {
    let inside = repeats
        .iter()
        .filter(|repeat| repeat.1 > 1)
        .map(|repeat| (repeat.0, repeat.0));
    let between = repeats.windows(2).map(|two| (two[0].0, two[1].0));
    let step = inside
        .chain(between)
        .map(|(left, right)| pairs.step(left, right, floor))
        .min()?;
    (step != Step::NEVER).then(|| step.rank())
}

/// Joins all pairs of this rank, from left to right.
fn apply(pairs: &PairTable, rank: Rank, repeats: &[Repeat]) -> Vec<Repeat> {
    let merge = pairs.merge(rank);
    let mut applied: Vec<Repeat> = Vec::new();
    let mut push = |symbol, len| match applied.last_mut() {
        Some(last) if last.0 == symbol => last.1 += len,
        _ if len > 0 => applied.push((symbol, len)),
        _ => {}
    };
    let mut taken = 0; // of the current symbols, by a merge with the last one before them
    for (k, &(symbol, len)) in repeats.iter().enumerate() {
        let len = len - std::mem::take(&mut taken);
        if merge.left == symbol && merge.right == symbol {
            push(merge.merged, len / 2);
            push(symbol, len % 2);
        } else if len > 0 && merge.left == symbol && repeats.get(k + 1).is_some_and(|next| next.0 == merge.right) {
            push(symbol, len - 1);
            push(merge.merged, 1);
            taken = 1;
        } else {
            push(symbol, len);
        }
    }
    applied
}
