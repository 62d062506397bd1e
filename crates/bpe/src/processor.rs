//! What the functions that are compiled for wider instructions ask of the processor.
//!
//! Each such function lists its instructions in `#[target_feature]`, and is called only where one of these is true, which
//! asks for all of them: `tests/architecture/test_unsafe.py` compares the lists.

use std::env;
#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

use crate::error::BpeError;

/// The environment variable that leaves the widest instructions unused, so that a processor that has them can measure and
/// test what others run: `portable`, `avx2` or `avx512`. No result depends on it. Read once.
const INSTRUCTIONS_VARIABLE: &str = "HOMESPUN_INSTRUCTIONS";

/// The instructions that may be used, fewest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Portable,
    Avx2,
    Avx512,
}

impl Limit {
    fn parse(value: &str) -> Result<Self, BpeError> {
        match value {
            "portable" => Ok(Self::Portable),
            "avx2" => Ok(Self::Avx2),
            "avx512" => Ok(Self::Avx512),
            _ => Err(BpeError::UnknownInstructions {
                variable: INSTRUCTIONS_VARIABLE,
                value: value.into(),
            }),
        }
    }

    fn read() -> Result<Self, BpeError> {
        match env::var_os(INSTRUCTIONS_VARIABLE) {
            Some(value) => Self::parse(&value.to_string_lossy()),
            None => Ok(Self::Avx512),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn current() -> Self {
        static LIMIT: OnceLock<Limit> = OnceLock::new();
        *LIMIT.get_or_init(|| Self::read().unwrap_or(Self::Portable))
    }
}

/// Refuses a value of [`INSTRUCTIONS_VARIABLE`] that names no instructions.
///
/// # Errors
/// [`BpeError::UnknownInstructions`].
pub(crate) fn check_limit() -> Result<(), BpeError> {
    Limit::read().map(drop)
}

/// AVX2 and the instructions on single bits that came to x86-64 with it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    Limit::current() >= Limit::Avx2
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// The AVX-512 that servers have, and what [`has_avx2`] names.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    Limit::current() >= Limit::Avx512
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_avx2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the names in the variable's description; anything else is refused with what was given.
    #[test]
    fn limits_are_ordered_and_others_refused() {
        let [portable, avx2, avx512] = ["portable", "avx2", "avx512"].map(|name| Limit::parse(name).unwrap());
        assert!(portable < avx2 && avx2 < avx512);
        for value in ["", "AVX2", "avx"] {
            let error = Limit::parse(value).unwrap_err();
            assert!(matches!(&error, BpeError::UnknownInstructions { value: given, .. } if given == value));
        }
    }
}
