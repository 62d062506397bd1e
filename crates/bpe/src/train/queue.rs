//! Pairs waiting to be merged, the next one first.

use std::cmp::Ordering;

use super::pairs::Pairs;
use super::tokens::Tokens;

/// A binary max-heap of pairs by count, then by the bytes of left and right token. Counts may fall after a pair was
/// queued: it is then queued again where it belongs when it comes up.
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
    /// Queues `pair` under its present count.
    pub fn push(&mut self, pair: u32, pairs: &mut Pairs, tokens: &Tokens) {
        let count = pairs.get(pair).count;
        pairs.get_mut(pair).queued = count;
        if count == 0 {
            return;
        }
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

    /// Takes the pair to merge next.
    pub fn pop(&mut self, pairs: &mut Pairs, tokens: &Tokens) -> Option<u32> {
        loop {
            let top = self.pop_top(pairs, tokens)?;
            let pair = pairs.get(top.pair);
            if pair.queued != top.count {
                continue;
            }
            if pair.count == top.count {
                pairs.get_mut(top.pair).queued = 0;
                return Some(top.pair);
            }
            self.push(top.pair, pairs, tokens);
        }
    }

    fn pop_top(&mut self, pairs: &Pairs, tokens: &Tokens) -> Option<Waiting> {
        if self.heap.is_empty() {
            return None;
        }
        let top = self.heap.swap_remove(0);
        let mut parent = 0;
        loop {
            let mut child = 2 * parent + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len()
                && compare(self.heap[child + 1], self.heap[child], pairs, tokens) == Ordering::Greater
            {
                child += 1;
            }
            if compare(self.heap[child], self.heap[parent], pairs, tokens) != Ordering::Greater {
                break;
            }
            self.heap.swap(child, parent);
            parent = child;
        }
        Some(top)
    }
}

fn compare(a: Waiting, b: Waiting, pairs: &Pairs, tokens: &Tokens) -> Ordering {
    a.count.cmp(&b.count).then_with(|| {
        let (a, b) = (pairs.get(a.pair), pairs.get(b.pair));
        tokens.compare((a.left, a.right), (b.left, b.right))
    })
}
