//! The instruction sets that a hand-written pattern can run on, and the choice among them.

#![allow(unsafe_code, reason = "calls functions compiled for wider instructions")]

use std::ops::ControlFlow;

use super::blocks;
#[cfg(target_arch = "aarch64")]
use super::classify::Neon;
use super::classify::Portable;
#[cfg(target_arch = "x86_64")]
use super::classify::{Avx2, Avx512};
use super::pattern::Pattern;
use super::scalar;

/// An implementation of splitting by a hand-written pattern. All return the same pre-tokens; [`super::Splitter`] uses the
/// fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One character at a time: the definition of the others.
    Scalar,
    /// 64 bytes at a time, eight in a register.
    Portable,
    /// 64 bytes at a time, by NEON.
    Neon,
    /// 64 bytes at a time, by AVX2.
    Avx2,
    /// 64 bytes at a time, by AVX-512BW.
    Avx512,
}

impl Backend {
    /// All backends, the fastest last.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Returns whether this processor supports the backend.
    #[inline]
    pub fn is_supported(self) -> bool {
        match self {
            Self::Scalar | Self::Portable => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Returns the fastest supported backend.
    #[inline]
    pub fn detect() -> Self {
        let supported = Self::ALL.into_iter().rev().find(|backend| backend.is_supported());
        supported.unwrap_or(Self::Portable)
    }
}

/// Calls `on_batch(start, ends)` for batches of pre-tokens: the first begins at `start`, each other where the one before
/// it ends; stops where it breaks. An unsupported backend is replaced by [`Backend::Portable`].
#[inline]
pub(super) fn for_each_batch<P: Pattern>(
    backend: Backend,
    pattern: P,
    text: &[u8],
    mut on_batch: impl FnMut(usize, &[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    #[cfg(target_arch = "x86_64")]
    match backend {
        Backend::Avx512 => {
            if let Some(avx512) = Avx512::new() {
                // SAFETY: an `Avx512` exists only where the processor has what the function is compiled for.
                return unsafe { for_each_batch_avx512(avx512, pattern, text, on_batch) };
            }
        }
        Backend::Avx2 => {
            if let Some(avx2) = Avx2::new() {
                // SAFETY: an `Avx2` exists only where the processor has what the function is compiled for.
                return unsafe { for_each_batch_avx2(avx2, pattern, text, on_batch) };
            }
        }
        _ => {}
    }
    match backend {
        Backend::Scalar => scalar::for_each(pattern, text, |start, end| on_batch(start, &[end])),
        #[cfg(target_arch = "aarch64")]
        Backend::Neon => blocks::for_each_batch(Neon, pattern, text, on_batch),
        _ => blocks::for_each_batch(Portable, pattern, text, on_batch),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_batch_avx512<P: Pattern>(
    classifier: Avx512,
    pattern: P,
    text: &[u8],
    on_batch: impl FnMut(usize, &[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    blocks::for_each_batch(classifier, pattern, text, on_batch)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_batch_avx2<P: Pattern>(
    classifier: Avx2,
    pattern: P,
    text: &[u8],
    on_batch: impl FnMut(usize, &[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    blocks::for_each_batch(classifier, pattern, text, on_batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the instructions that everything here is compiled for, with which Miri runs AVX-512 and NEON in the other tests.
    #[test]
    fn compiled_instruction_sets_are_supported() {
        assert!(Backend::Avx2.is_supported() || cfg!(not(all(target_feature = "avx2", target_feature = "bmi2"))));
        assert!(
            Backend::Avx512.is_supported() || cfg!(not(all(target_feature = "avx512bw", target_feature = "avx512dq")))
        );
        assert_eq!(Backend::Neon.is_supported(), cfg!(target_feature = "neon"));
    }
}
