//! Binary heaps whose order depends on more than their items: the standard library's needs it from the items alone.
//!
//! The children of `i` are at `2 * i + 1` and `2 * i + 2`; `is_before(a, b)` says that `a` comes out before `b`.

/// Makes a heap of `items`.
pub(crate) fn heapify<T>(items: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    for parent in (0..items.len() / 2).rev() {
        sift_down(items, parent, &is_before);
    }
}

/// Appends `item` to a heap.
pub(crate) fn push<T>(heap: &mut Vec<T>, item: T, is_before: impl Fn(&T, &T) -> bool) {
    heap.push(item);
    let mut child = heap.len() - 1;
    while child > 0 {
        let parent = (child - 1) / 2;
        if !is_before(&heap[child], &heap[parent]) {
            break;
        }
        heap.swap(child, parent);
        child = parent;
    }
}

/// Makes a heap of one in which the item at `parent` may have to go further down.
#[inline]
pub(crate) fn sift_down<T>(heap: &mut [T], mut parent: usize, is_before: impl Fn(&T, &T) -> bool) {
    loop {
        let mut child = 2 * parent + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && is_before(&heap[child + 1], &heap[child]) {
            child += 1;
        }
        if !is_before(&heap[child], &heap[parent]) {
            return;
        }
        heap.swap(child, parent);
        parent = child;
    }
}
