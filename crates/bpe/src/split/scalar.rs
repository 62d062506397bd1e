//! Splitting one character at a time: the definition that [`super::blocks`] must equal.

use std::ops::ControlFlow;

use super::pattern::Pattern;

/// Calls `on_pretoken(start, end)` for every pre-token of `text`, in order, until it breaks.
#[inline]
pub(super) fn for_each<P: Pattern>(
    pattern: P,
    text: &[u8],
    mut on_pretoken: impl FnMut(usize, usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut start = 0;
    while start < text.len() {
        let end = pattern.next_end(text, start);
        on_pretoken(start, end)?;
        start = end;
    }
    ControlFlow::Continue(())
}
