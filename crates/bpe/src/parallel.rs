//! Work on several threads whose results come in order: [`map`] for a few large items, [`in_order`] for a stream.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Runs `work` on each of `items`, each on a thread of its own, the first on the caller's; returns the results in the order
/// of the items. A panic is passed on.
///
/// Threads are started for the call, not kept: a pool would not survive a fork.
pub(crate) fn map<T: Send, R: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut items = items.into_iter();
    let Some(first) = items.next() else {
        return Vec::new();
    };
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let mut results = vec![work(first)];
        results.extend(others.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        results
    })
}

/// Runs `make` on `num_threads` threads and gives what they hand out to `take`, on the caller's thread, in the order of
/// its numbers, while they make more.
///
/// Numbers count from 0 without gaps, and a thread that draws one hands out its result before it draws another. At most
/// `capacity` results wait for `take`, so that memory is bounded; a thread that is further ahead waits. Returns when
/// all threads have returned and their results are taken, or with the first error of `take`.
pub(crate) fn in_order<T: Send, E>(
    num_threads: usize,
    capacity: usize,
    make: impl Fn(&Outlet<T>) + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let outlet = Outlet::new(num_threads.max(1), capacity.max(1));
    thread::scope(|scope| {
        // The scope waits for its threads: however the taking ends, in a panic too, they must hear of it.
        let _closing = Closing(&outlet);
        for _ in 0..num_threads.max(1) {
            scope.spawn(|| {
                let _leaving = Leaving(&outlet);
                make(&outlet);
            });
        }
        while let Some(result) = outlet.next() {
            take(result)?;
        }
        Ok(())
    })
}

/// Where results wait for their turn.
pub(crate) struct Outlet<T> {
    state: Mutex<State<T>>,
    capacity: usize,
    has_come: Condvar,
    has_gone: Condvar,
}

struct State<T> {
    /// Results from number `next` on, as far as they have come.
    waiting: VecDeque<Option<T>>,
    next: u64,
    num_makers: usize,
    is_closed: bool,
}

impl<T> Outlet<T> {
    fn new(num_makers: usize, capacity: usize) -> Self {
        let state = State {
            waiting: VecDeque::with_capacity(capacity),
            next: 0,
            num_makers,
            is_closed: false,
        };
        Self {
            state: Mutex::new(state),
            capacity,
            has_come: Condvar::new(),
            has_gone: Condvar::new(),
        }
    }

    /// Hands out a result, once it is among the next few. `Break` if nobody takes results any more.
    pub fn put(&self, number: u64, result: T) -> ControlFlow<()> {
        let mut state = self.lock();
        while !state.is_closed && number - state.next >= self.capacity as u64 {
            state = self.has_gone.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return ControlFlow::Break(());
        }
        let place = (number - state.next) as usize;
        while state.waiting.len() <= place {
            state.waiting.push_back(None);
        }
        state.waiting[place] = Some(result);
        if place == 0 {
            self.has_come.notify_one();
        }
        ControlFlow::Continue(())
    }

    /// The result whose turn it is; `None` once no more will come.
    fn next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(result) = state.waiting.front_mut().and_then(Option::take) {
                state.waiting.pop_front();
                state.next += 1;
                self.has_gone.notify_all();
                return Some(result);
            }
            if state.is_closed || state.num_makers == 0 {
                return None;
            }
            state = self.has_come.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.has_come.notify_all();
        self.has_gone.notify_all();
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the taking when it is dropped.
struct Closing<'a, T>(&'a Outlet<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Says when it is dropped that a thread makes no more.
struct Leaving<'a, T>(&'a Outlet<T>);

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        self.0.lock().num_makers -= 1;
        self.0.has_come.notify_all();
        if thread::panicking() {
            // Its number will never come: nobody shall wait for it. The scope passes the panic on.
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Draws numbers below `end` and hands out their squares, some of them late.
    fn square(end: u64, next: &AtomicU64, outlet: &Outlet<u64>) {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number.is_multiple_of(3) {
                thread::yield_now();
            }
            if number >= end || outlet.put(number, number * number).is_break() {
                return;
            }
        }
    }

    #[test]
    fn results_come_in_order_for_any_threads_and_capacity() {
        for num_threads in [0, 1, 2, 5] {
            for capacity in [0, 1, 7] {
                let (next, mut taken) = (AtomicU64::new(0), Vec::new());
                let make = |outlet: &Outlet<u64>| square(200, &next, outlet);
                let Ok(()) = in_order(num_threads, capacity, make, |result| {
                    taken.push(result);
                    Ok::<(), Infallible>(())
                });
                assert_eq!(taken, (0..200).map(|number| number * number).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn no_more_than_the_capacity_waits() {
        let (next, mut num_taken) = (AtomicU64::new(0), 0);
        let Ok(()) = in_order(
            3,
            4,
            |outlet| square(100, &next, outlet),
            |_| {
                num_taken += 1;
                // Four wait, and each of three threads holds one.
                assert!(next.load(Ordering::SeqCst) <= num_taken + 4 + 3);
                Ok::<(), Infallible>(())
            },
        );
        assert_eq!(num_taken, 100);
    }

    #[test]
    fn threads_stop_when_nobody_takes_any_more() {
        let next = AtomicU64::new(0);
        let make = |outlet: &Outlet<u64>| square(u64::MAX, &next, outlet);
        let outcome = in_order(2, 2, make, |result| if result == 81 { Err(result) } else { Ok(()) });
        assert_eq!(outcome, Err(81));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on_and_leaves_nobody_waiting() {
        let next = AtomicU64::new(0);
        let make = |outlet: &Outlet<u64>| {
            let number = next.fetch_add(1, Ordering::SeqCst);
            assert!(number > 0, "the first number never comes");
            square(u64::MAX, &next, outlet);
        };
        let Ok(()) = in_order(2, 2, make, |_| Ok::<(), Infallible>(()));
    }
}
