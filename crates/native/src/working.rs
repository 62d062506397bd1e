//! Long work without the interpreter, and what the caller's thread does meanwhile: report progress, notice Ctrl-C, and
//! answer what the work asks of Python.

use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use homespun_bpe::progress::Progress;
use homespun_bpe::BpeError;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

use crate::errors::to_py;

/// Between two looks at signals: often enough for a moving bar and for Ctrl-C, too seldom to cost anything.
const INTERVAL: Duration = Duration::from_millis(100);

/// Ctrl-C is noticed within texts from this size on. Smaller ones take a few hundredths of a second, of which a thread that
/// starts others would cost a part: until the system has moved them, two share a core.
const MIN_INTERRUPTIBLE_BYTES: usize = 1 << 22;

/// The Python thread that waits for the work, as the work sees it.
pub struct Caller<Question, Answer> {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
}

impl<Question, Answer> Caller<Question, Answer> {
    /// Asks a question whose answer is received later.
    ///
    /// # Errors
    /// [`BpeError::Interrupted`] where an earlier answer was an exception.
    pub fn ask_ahead(&self, question: Question) -> Result<(), BpeError> {
        self.questions.send(question).map_err(|_| BpeError::Interrupted)
    }

    /// Waits for the answer to the first question that has none.
    ///
    /// # Errors
    /// As [`Caller::ask_ahead`].
    pub fn receive(&self) -> Result<Answer, BpeError> {
        self.answers.recv().map_err(|_| BpeError::Interrupted)
    }

    /// Asks a question and waits for its answer.
    ///
    /// # Errors
    /// As [`Caller::ask_ahead`].
    pub fn ask(&self, question: Question) -> Result<Answer, BpeError> {
        self.ask_ahead(question)?;
        self.receive()
    }
}

/// Does `work` on another thread, without the interpreter, while this one answers its questions by `answer`, ten times a
/// second calls `on_progress(done, total)`, and looks at signals. Python handles these on the main thread only, and some
/// objects may be used only on the thread that made them.
///
/// What one of them raised ends the work and comes before what it returned.
pub fn serve<T: Send, Question: Send, Answer: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    mut answer: impl FnMut(Python<'_>, Question) -> PyResult<Answer> + Send,
    work: impl FnOnce(&Progress, Caller<Question, Answer>) -> Result<T, BpeError> + Send,
) -> PyResult<T> {
    let progress = Progress::new();
    let look = |py: Python<'_>| {
        py.check_signals()?;
        on_progress.map_or(Ok(()), |callback| callback.call1(py, progress.read()).map(drop))
    };
    let mut raised = None;
    let result = py.detach(|| {
        thread::scope(|scope| {
            let (ask, questions) = channel();
            let (reply, answers) = channel();
            let caller = Caller {
                questions: ask,
                answers,
            };
            let work = || work(&progress, caller);
            let Ok(worker) = thread::Builder::new().spawn_scoped(scope, work) else {
                raised = Some(PyMemoryError::new_err("could not start a thread"));
                return Err(BpeError::Interrupted);
            };
            let mut last_look = Instant::now();
            while raised.is_none() {
                let question = match questions.recv_timeout(INTERVAL) {
                    Ok(question) => Some(question),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break, // the work has ended, in a panic perhaps
                };
                raised = Python::attach(|py| {
                    if last_look.elapsed() >= INTERVAL {
                        last_look = Instant::now();
                        look(py)?;
                    }
                    if let Some(question) = question {
                        // Nobody waits for it where the work failed meanwhile.
                        let _ = reply.send(answer(py, question)?);
                    }
                    Ok(())
                })
                .err();
            }
            if raised.is_some() {
                progress.stop();
            }
            drop((questions, reply));
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    let value = result.map_err(|error| to_py(py, &error))?;
    look(py)?;
    Ok(value)
}

/// [`serve`] for work that asks nothing.
pub fn working<T: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&Progress) -> Result<T, BpeError> + Send,
) -> PyResult<T> {
    let answer = |_: Python<'_>, (): ()| Ok(());
    serve(py, on_progress, answer, |progress, _caller| work(progress))
}

/// Works without the interpreter on `num_bytes` of text, and notices Ctrl-C where they take long.
pub fn released<T: Send>(
    py: Python<'_>,
    num_bytes: usize,
    work: impl FnOnce(&Progress) -> Result<T, BpeError> + Send,
) -> PyResult<T> {
    if num_bytes < MIN_INTERRUPTIBLE_BYTES {
        return py
            .detach(|| work(&Progress::default()))
            .map_err(|error| to_py(py, &error));
    }
    working(py, None, work)
}
