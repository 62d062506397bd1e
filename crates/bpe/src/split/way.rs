//! The ways to run a hand-written pattern: which there are, and which this machine takes.

#![allow(unsafe_code, reason = "calls of functions that are compiled for wider instructions")]

use super::blocks;
#[cfg(target_arch = "aarch64")]
use super::classify::Neon;
use super::classify::Portable;
#[cfg(target_arch = "x86_64")]
use super::classify::{Avx2, Avx512};
use super::scalar::{self, Pattern};

/// How a hand-written pattern is run. All ways give the same pre-tokens; [`super::Splitter`] takes the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One character after the other: what the others are held to.
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

impl Way {
    /// All ways, the fastest last.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Whether this processor can take it.
    #[inline]
    pub fn is_possible(self) -> bool {
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

    /// The fastest that this processor can take.
    #[inline]
    pub fn fastest() -> Self {
        let possible = Self::ALL.into_iter().rev().find(|way| way.is_possible());
        possible.unwrap_or(Self::Portable)
    }
}

/// Calls `on_batch(start, ends)` for the pre-tokens, some at a time: the first of them begins at `start`, each other where
/// the one before it ends. A way that is not possible here is replaced by [`Way::Portable`].
#[inline]
pub(super) fn for_each_batch<P: Pattern>(way: Way, pattern: P, text: &[u8], mut on_batch: impl FnMut(usize, &[usize])) {
    #[cfg(target_arch = "x86_64")]
    match way {
        Way::Avx512 => {
            if let Some(avx512) = Avx512::new() {
                // SAFETY: an `Avx512` exists only where the processor has what the function is compiled for.
                return unsafe { for_each_batch_avx512(avx512, pattern, text, on_batch) };
            }
        }
        Way::Avx2 => {
            if let Some(avx2) = Avx2::new() {
                // SAFETY: an `Avx2` exists only where the processor has what the function is compiled for.
                return unsafe { for_each_batch_avx2(avx2, pattern, text, on_batch) };
            }
        }
        _ => {}
    }
    match way {
        Way::Scalar => scalar::for_each(pattern, text, |start, end| on_batch(start, &[end])),
        #[cfg(target_arch = "aarch64")]
        Way::Neon => blocks::for_each_batch(Neon, pattern, text, on_batch),
        _ => blocks::for_each_batch(Portable, pattern, text, on_batch),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_batch_avx512<P: Pattern>(way: Avx512, pattern: P, text: &[u8], on_batch: impl FnMut(usize, &[usize])) {
    blocks::for_each_batch(way, pattern, text, on_batch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_batch_avx2<P: Pattern>(way: Avx2, pattern: P, text: &[u8], on_batch: impl FnMut(usize, &[usize])) {
    blocks::for_each_batch(way, pattern, text, on_batch);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the instructions that everything here is compiled for, by which Miri shows AVX-512 and NEON to the other tests.
    #[test]
    fn what_is_compiled_for_is_possible() {
        assert!(Way::Avx2.is_possible() || cfg!(not(all(target_feature = "avx2", target_feature = "bmi2"))));
        assert!(Way::Avx512.is_possible() || cfg!(not(all(target_feature = "avx512bw", target_feature = "avx512dq"))));
        assert_eq!(Way::Neon.is_possible(), cfg!(target_feature = "neon"));
    }
}
