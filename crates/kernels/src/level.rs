//! The instruction sets that the operations are compiled for, and the choice among them.
//!
//! Every operation is written once, on registers of any length ([`Vector`]), and compiled for each level. Each element's
//! sum has the same order at every level, and products are fused into sums at every level: all give the same bits.

#![allow(unsafe_code, reason = "calls functions compiled for wider instructions")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
use crate::processor::{has_avx2, has_avx512};
use crate::vector::Vector;

/// A set of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// What every processor of this architecture has.
    Portable = 1,
    /// 8 numbers at a time: AVX2 and fused multiply-adds.
    Avx2 = 2,
    /// 16 numbers at a time: AVX-512.
    Avx512 = 3,
}

/// The level in use, once it is chosen.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Level {
    /// All levels, the widest last.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Returns whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Returns the level in use: AVX2 where this processor has it, unless [`Level::force`] chose another. AVX-512 is not
    /// chosen: it has not been measured.
    #[inline]
    pub fn current() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        if let Some(level) = Self::ALL.into_iter().find(|level| *level as u8 == chosen) {
            return level;
        }
        let level = if Self::Avx2.is_supported() {
            Self::Avx2
        } else {
            Self::Portable
        };
        level.force();
        level
    }

    /// Uses this level from now on, in the whole process; for tests and measurements.
    ///
    /// # Panics
    /// If this processor does not have it.
    pub fn force(self) {
        assert!(self.is_supported(), "this processor has no {self:?}");
        CHOSEN.store(self as u8, Ordering::Relaxed);
    }

    /// Does `work`, compiled for this level.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                // SAFETY: only `current` and `force` give out levels, those that `has_avx512` found.
                unsafe { run_avx512(work) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                // SAFETY: as above, with `has_avx2`.
                unsafe { run_avx2(work) }
            }
            _ => work.run::<[f32; 8]>(),
        }
    }
}

/// An operation with its arguments.
pub(crate) trait Work {
    /// What it returns.
    type Output;

    /// Does the work. Marked `#[inline(always)]`, as all that it calls, so that it is compiled for each level.
    fn run<V: Vector>(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: Work>(work: W) -> W::Output {
    work.run::<__m256>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f")]
fn run_avx512<W: Work>(work: W) -> W::Output {
    work.run::<__m512>()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the processor's flags, as std reads them.
    #[test]
    fn levels_are_those_of_the_processor() {
        assert!(Level::Portable.is_supported());
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            Level::Avx2.is_supported(),
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
        );
        assert!(Level::current().is_supported());
        for level in Level::ALL.into_iter().filter(|level| !level.is_supported()) {
            assert!(std::panic::catch_unwind(|| level.force()).is_err());
        }
    }
}
