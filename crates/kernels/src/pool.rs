//! One pool of threads whose work is claimed piece by piece.
//!
//! A core that is busy with something else slows its own share: the others claim the pieces that it does not get to.
//! A thread without work looks out for more for a tenth of a millisecond, for the parts of a step follow each other, and then
//! sleeps: between steps nothing is taken from other processes.

#![allow(unsafe_code, reason = "extends the lifetime of the work that threads borrow")]

use std::hint::spin_loop;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::huge;

/// How often a thread looks for more work before it sleeps: some 120 microseconds, in which Python begins the next operation.
/// Waking it takes as long, and a process of low priority that has its core by then keeps it for milliseconds.
const LOOKS_FOR_WORK: usize = 6000;

/// How often the caller looks for the end of others' work: some 20 microseconds. If one of them has lost its core to
/// another process, the system moves it to the caller's once that sleeps.
const LOOKS_FOR_END: usize = 1000;

/// A piece of work of its own kind.
pub(crate) type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Threads that work together with the caller's.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
    num_threads: usize,
    /// Held while work is shared: calls from several threads take turns.
    running: Mutex<()>,
    /// Memory for an operation's intermediate results, kept for the next one.
    scratch: Mutex<Vec<f32>>,
    /// The process that the threads belong to: a fork has none of them.
    process: u32,
}

struct Shared {
    state: Mutex<State>,
    /// The number of the work shared last, and the threads that have joined in and not left: changed under the lock, and
    /// read without it by those who look out for a change.
    posted: AtomicU64,
    num_working: AtomicUsize,
    has_work: Condvar,
    is_done: Condvar,
}

struct State {
    /// The work shared now, and its number.
    job: Option<Job>,
    number: u64,
    is_closed: bool,
    panic: Option<Box<dyn std::any::Any + Send>>,
}

/// Work that is shared: a function of the number of a piece, borrowed from the caller of [`Pool::run`].
#[derive(Clone, Copy)]
struct Job {
    work: &'static (dyn Fn(usize) + Sync),
    next: &'static AtomicUsize,
    num_pieces: usize,
}

impl Job {
    fn work_on(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.num_pieces {
                return;
            }
            (self.work)(piece);
        }
    }
}

impl Pool {
    /// Creates a pool of `num_threads`, the caller's included. The others start with the first work.
    #[must_use]
    pub fn new(num_threads: usize) -> Self {
        let state = State {
            job: None,
            number: 0,
            is_closed: false,
            panic: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            posted: AtomicU64::new(0),
            num_working: AtomicUsize::new(0),
            has_work: Condvar::new(),
            is_done: Condvar::new(),
        });
        let start = |_| {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("homespun-kernels".into());
            thread.spawn(move || shared.serve()).expect("the system has threads")
        };
        Self {
            threads: (1..num_threads.max(1)).map(start).collect(),
            shared,
            num_threads: num_threads.max(1),
            running: Mutex::new(()),
            scratch: Mutex::new(Vec::new()),
            process: std::process::id(),
        }
    }

    /// Returns how many threads share the work, the caller's included.
    pub fn num_threads(&self) -> usize {
        self.num_threads
    }

    /// Returns whether the threads live in this process, rather than in the one that it was forked from.
    pub fn is_alive(&self) -> bool {
        self.process == std::process::id()
    }

    /// Calls `work` once with each of `pieces`, as [`Pool::run`] does.
    pub fn for_each<T: Send>(&self, pieces: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
        let pieces: Vec<_> = pieces.into_iter().map(|piece| Mutex::new(Some(piece))).collect();
        self.run(pieces.len(), &|number| {
            let piece = pieces[number].lock().unwrap_or_else(PoisonError::into_inner).take();
            work(piece.expect("a piece is claimed once"));
        });
    }

    /// Calls `work` with memory for `len` numbers, which it must write before it reads; no other call may be inside.
    pub fn with_scratch<R>(&self, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        work(huge::at_least(&mut scratch, len))
    }

    /// Calls `work` once for each number below `num_pieces`, on the caller's thread and the others, in no order.
    ///
    /// Returns when all are done; a panic of any is passed on. `work` must not call this function.
    pub fn run(&self, num_pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.num_threads == 1 || num_pieces <= 1 {
            (0..num_pieces).for_each(work);
            return;
        }
        let _turn = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let next = AtomicUsize::new(0);
        // SAFETY: this function returns, by a panic too, only after the job is taken back and every thread that joined
        // in has left, so that nobody uses `work` and `next` after their time.
        let job = unsafe {
            Job {
                work: std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work),
                next: std::mem::transmute::<&AtomicUsize, &'static AtomicUsize>(&next),
                num_pieces,
            }
        };
        {
            let mut state = self.shared.lock();
            state.job = Some(job);
            state.number += 1;
            self.shared.posted.store(state.number, Ordering::Release);
        }
        self.shared.has_work.notify_all();
        let own = catch_unwind(AssertUnwindSafe(|| job.work_on()));
        // After a panic, the pieces left are skipped.
        next.fetch_max(num_pieces, Ordering::Relaxed);
        // Before the look-out: no further thread may join in once it has ended.
        self.shared.lock().job = None;
        look_out(LOOKS_FOR_END, || self.shared.num_working.load(Ordering::Acquire) == 0);
        let mut state = self.shared.lock();
        while self.shared.num_working.load(Ordering::Acquire) > 0 {
            state = self.shared.is_done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let others = state.panic.take();
        drop(state);
        if let Some(panic) = own.err().or(others) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.has_work.notify_all();
        // In a fork there are none to wait for.
        if self.is_alive() {
            for thread in self.threads.drain(..) {
                // A panic of its work was passed on; it has no other.
                drop(thread.join());
            }
        }
    }
}

impl Shared {
    /// What each thread does: join in with every job, and sleep between them.
    fn serve(&self) {
        let mut last = 0;
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return;
            }
            match state.job {
                Some(job) if state.number != last => {
                    last = state.number;
                    self.num_working.fetch_add(1, Ordering::AcqRel);
                    drop(state);
                    let outcome = catch_unwind(AssertUnwindSafe(|| job.work_on()));
                    state = self.lock();
                    if let Err(panic) = outcome {
                        job.next.fetch_max(job.num_pieces, Ordering::Relaxed);
                        state.panic = Some(panic);
                    }
                    if self.num_working.fetch_sub(1, Ordering::AcqRel) == 1 {
                        self.is_done.notify_one();
                    }
                    drop(state);
                    look_out(LOOKS_FOR_WORK, || self.posted.load(Ordering::Acquire) != last);
                    state = self.lock();
                }
                _ => state = self.has_work.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a moment until something has happened.
fn look_out(looks: usize, has_happened: impl Fn() -> bool) {
    for _ in 0..looks {
        if has_happened() {
            return;
        }
        spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    // Oracle: identity, each piece has been counted once.
    #[test]
    fn each_piece_is_done_once_for_any_number_of_threads() {
        for num_threads in 1..5 {
            let pool = Pool::new(num_threads);
            for num_pieces in [0, 1, 2, 100] {
                let counts: Vec<AtomicU32> = (0..num_pieces).map(|_| AtomicU32::new(0)).collect();
                pool.run(num_pieces, &|piece| {
                    counts[piece].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    // Oracle: identity, the sum of what was handed out.
    #[test]
    fn pieces_may_be_borrowed_mutably() {
        let pool = Pool::new(3);
        let mut numbers = vec![0u64; 1000];
        pool.for_each(numbers.chunks_mut(7).enumerate(), |(piece, numbers)| {
            numbers.iter_mut().for_each(|number| *number = piece as u64);
        });
        assert!(numbers.iter().enumerate().all(|(i, number)| *number == i as u64 / 7));
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_lives() {
        let pool = Pool::new(3);
        for culprit in [0, 50, 99] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, &|piece| assert!(piece != culprit, "piece {piece}"));
            }));
            assert!(outcome.is_err());
            pool.run(10, &|_| {});
        }
    }
}
