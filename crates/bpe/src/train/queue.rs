//! Pairs waiting to be merged, the next one first.

use super::pairs::Pairs;
use super::tokens::Tokens;
use crate::heap::{heapify, push, sift_down};

/// A binary max-heap of pairs by count, then by the rule for ties. Counts may fall after a pair was queued: it is then
/// queued again where it belongs when it comes up.
#[derive(Default)]
pub(super) struct Queue {
    heap: Vec<Waiting>,
}

#[derive(Clone, Copy)]
struct Waiting {
    count: u64,
    pair: u32,
}

impl Queue {
    /// All of `pairs`.
    pub fn new(pairs: &Pairs, tokens: &Tokens) -> Self {
        let waiting = |pair| Waiting {
            count: pairs.get(pair).count,
            pair,
        };
        let mut heap: Vec<Waiting> = (0..pairs.len() as u32).map(waiting).collect();
        heapify(&mut heap, |&a, &b| is_before(a, b, pairs, tokens));
        Self { heap }
    }

    /// Queues `pair` under its present count.
    pub fn push(&mut self, pair: u32, pairs: &Pairs, tokens: &Tokens) {
        let count = pairs.get(pair).count;
        push(&mut self.heap, Waiting { count, pair }, |&a, &b| {
            is_before(a, b, pairs, tokens)
        });
    }

    /// The pair to merge next, which stays in the queue; none where no pair occurs any more.
    pub fn next(&mut self, pairs: &Pairs, tokens: &Tokens) -> Option<u32> {
        loop {
            let top = self.heap.first_mut()?;
            let count = pairs.get(top.pair).count;
            if count == top.count {
                return Some(top.pair);
            }
            top.count = count;
            if count == 0 {
                self.remove_first(pairs, tokens);
            } else {
                self.settle_first(pairs, tokens);
            }
        }
    }

    /// Takes out what [`Queue::next`] returned.
    pub fn remove_first(&mut self, pairs: &Pairs, tokens: &Tokens) {
        self.heap.swap_remove(0);
        self.settle_first(pairs, tokens);
    }

    fn settle_first(&mut self, pairs: &Pairs, tokens: &Tokens) {
        sift_down(&mut self.heap, 0, |&a, &b| is_before(a, b, pairs, tokens));
    }
}

#[inline]
fn is_before(a: Waiting, b: Waiting, pairs: &Pairs, tokens: &Tokens) -> bool {
    let symbols = |waiting: Waiting| pairs.get(waiting.pair).symbols();
    a.count
        .cmp(&b.count)
        .then_with(|| tokens.compare(symbols(a), symbols(b)))
        .is_gt()
}
