//! Long work without the interpreter: its progress to a Python callback, and Ctrl-C to it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use homespun_bpe::progress::Stop;
use homespun_bpe::BpeError;
use pyo3::prelude::*;

use crate::errors::to_py;

/// Between two calls of Python: often enough for a moving bar and for Ctrl-C, too seldom to cost anything.
const INTERVAL: Duration = Duration::from_millis(100);

/// Calls `on_progress(done, total)` now and then, and notices Ctrl-C.
///
/// Only the thread that Python called in on calls back: others would wait for the interpreter, and Python
/// delivers Ctrl-C to no other thread.
pub struct Progress {
    callback: Py<PyAny>,
    caller: ThreadId,
    done: AtomicU64,
    total: AtomicU64,
    state: Mutex<State>,
}

struct State {
    last_call: Instant,
    failure: Option<PyErr>,
}

impl Progress {
    /// For a callback taken on this thread.
    pub fn new(callback: Py<PyAny>) -> Self {
        let state = State {
            last_call: Instant::now(),
            failure: None,
        };
        Self {
            callback,
            caller: thread::current().id(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// Take the news from any thread; `Break` if Python raised something.
    pub fn report(&self, done: u64, total: u64) -> ControlFlow<()> {
        let done = self.done.fetch_max(done, Ordering::Relaxed).max(done);
        self.total.store(total, Ordering::Relaxed);
        if thread::current().id() != self.caller {
            return ControlFlow::Continue(());
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_none() && state.last_call.elapsed() >= INTERVAL {
            state.last_call = Instant::now();
            state.failure = Python::attach(|py| self.call(py, done, total)).err();
        }
        if state.failure.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The end of the work: the last news, which had no turn yet perhaps, or what Python raised.
    pub fn finish(self, py: Python<'_>) -> PyResult<()> {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let failure = self.state.lock().unwrap_or_else(PoisonError::into_inner).failure.take();
        failure.map_or_else(|| self.call(py, done, total), Err)
    }

    fn call(&self, py: Python<'_>, done: u64, total: u64) -> PyResult<()> {
        py.check_signals()?;
        self.callback.call1(py, (done, total)).map(drop)
    }
}

/// Do long work without the interpreter. What the callback raised, or Ctrl-C, comes before what the work returned.
pub fn working<T: Send>(
    py: Python<'_>,
    on_progress: Py<PyAny>,
    work: impl FnOnce(&Progress) -> Result<T, BpeError> + Send,
) -> PyResult<T> {
    let progress = Progress::new(on_progress);
    let result = py.detach(|| work(&progress));
    match result {
        Ok(_) | Err(BpeError::Interrupted) => progress.finish(py)?,
        Err(_) => {}
    }
    result.map_err(|error| to_py(py, &error))
}

/// Does work that takes no callback without the interpreter, until Python has a signal to handle: then what the signal's
/// handler raised is returned, as soon as the work has noticed its [`Stop`].
///
/// The work is done on another thread, because Python runs handlers only on the main thread, which may be this one.
pub fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T, BpeError> + Send) -> PyResult<T> {
    let stop = Stop::new();
    let mut raised = None;
    let result = py.detach(|| {
        thread::scope(|scope| {
            let (done, is_done) = sync_channel::<()>(0);
            let worker = scope.spawn(|| {
                // Dropped when the work ends, in a panic too.
                let _done = done;
                work(&stop)
            });
            while is_done.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none() {
                    raised = Python::attach(|py| py.check_signals()).err();
                }
                if raised.is_some() {
                    stop.set();
                }
            }
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    });
    match raised {
        Some(error) => Err(error),
        None => result.map_err(|error| to_py(py, &error)),
    }
}
