//! Pairs waiting to be merged, the next one first.

use std::cmp::Ordering;

use super::pairs::Pairs;
use super::tokens::Tokens;

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
        let mut queue = Self {
            heap: (0..pairs.len() as u32).map(waiting).collect(),
        };
        for parent in (0..queue.heap.len() / 2).rev() {
            queue.sift_down(parent, pairs, tokens);
        }
        queue
    }

    /// Queues `pair` under its present count.
    pub fn push(&mut self, pair: u32, pairs: &Pairs, tokens: &Tokens) {
        let count = pairs.get(pair).count;
        self.heap.push(Waiting { count, pair });
        let mut child = self.heap.len() - 1;
        while child > 0 {
            let parent = (child - 1) / 2;
            if compare(self.heap[child], self.heap[parent], pairs, tokens) != Ordering::Greater {
                break;
            }
            self.heap.swap(child, parent);
            child = parent;
        }
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
                self.sift_down(0, pairs, tokens);
            }
        }
    }

    /// Takes out what [`Queue::next`] returned.
    pub fn remove_first(&mut self, pairs: &Pairs, tokens: &Tokens) {
        self.heap.swap_remove(0);
        self.sift_down(0, pairs, tokens);
    }

    fn sift_down(&mut self, mut parent: usize, pairs: &Pairs, tokens: &Tokens) {
        loop {
            let mut child = 2 * parent + 1;
            if child >= self.heap.len() {
                return;
            }
            if child + 1 < self.heap.len()
                && compare(self.heap[child + 1], self.heap[child], pairs, tokens) == Ordering::Greater
            {
                child += 1;
            }
            if compare(self.heap[child], self.heap[parent], pairs, tokens) != Ordering::Greater {
                return;
            }
            self.heap.swap(child, parent);
            parent = child;
        }
    }
}

#[inline]
fn compare(a: Waiting, b: Waiting, pairs: &Pairs, tokens: &Tokens) -> Ordering {
    a.count
        .cmp(&b.count)
        .then_with(|| tokens.compare(pairs.get(a.pair).symbols(), pairs.get(b.pair).symbols()))
}
