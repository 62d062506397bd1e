//! Rust's errors as homespun's.

use homespun_bpe::BpeError;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError};
use pyo3::prelude::*;

/// The Python exception for an error of the core: one class a variant, the message unchanged.
pub fn to_py(py: Python<'_>, error: &BpeError) -> PyErr {
    let class = match innermost(error) {
        BpeError::InvalidPattern { .. }
        | BpeError::UnknownInstructions { .. }
        | BpeError::EmptySpecialToken { .. }
        | BpeError::DuplicateSpecialToken { .. }
        | BpeError::TooManySpecialTokens { .. }
        | BpeError::CountsExceedMemory { .. } => "ConfigError",
        BpeError::InvalidUtf8 { .. }
        | BpeError::EmptyInput { .. }
        | BpeError::CorpusTooLarge { .. }
        | BpeError::DamagedCounts { .. }
        | BpeError::OtherCountsVersion { .. }
        | BpeError::CountTooLarge { .. }
        | BpeError::IdOutsideVocabulary { .. } => "DataError",
        BpeError::PatternGaveUp { .. }
        | BpeError::EmptyToken { .. }
        | BpeError::DuplicateId { .. }
        | BpeError::VocabularyTooLarge { .. }
        | BpeError::MergeOutsideVocabulary { .. }
        | BpeError::ByteOutsideVocabulary { .. }
        | BpeError::SpecialTokenInText { .. }
        | BpeError::PretokenTooLong { .. }
        | BpeError::InFile { .. }
        | BpeError::InText { .. }
        | BpeError::Interrupted => "TokenizerError",
        BpeError::OutOfMemory { .. } => return PyMemoryError::new_err(error.to_string()),
        BpeError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => "MissingFileError",
        BpeError::Io { .. } => "StorageError",
    };
    new_error(py, class, &error.to_string())
}

/// An exception of `homespun.errors`, which is imported only now that there is an error.
pub fn new_error(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = py
        .import("homespun.errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(import_failed) => import_failed,
    }
}

/// The error for an object whose work is done, or failed.
pub fn spent(noun: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "this {noun} has given its result away, or failed; make another"
    ))
}

/// The error of the one text or file among many that had one.
fn innermost(error: &BpeError) -> &BpeError {
    match error {
        BpeError::InFile { error, .. } | BpeError::InText { error, .. } => innermost(error),
        other => other,
    }
}
