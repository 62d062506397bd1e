//! The instruction sets that the operations are compiled for, and the choice among them.
//!
//! Every operation is written once, on registers of any length ([`Vector`]), and compiled for each level. Each element's
//! sum has the same order at every level, and products are fused into sums at every level: all give the same bits.

#![allow(unsafe_code, reason = "calls functions compiled for wider instructions")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
use crate::arithmetic::Dpbf16;
use crate::arithmetic::{Arithmetic, Float32, Precision, Widened};
#[cfg(target_arch = "x86_64")]
use crate::processor::{has_avx2, has_avx512, has_avx512_bf16};
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
    /// The same, and products of bfloat16 numbers by the instructions for them.
    Avx512Bf16 = 4,
}

/// The level in use, once it is chosen.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The environment variable that leaves wider instructions unused: `portable`, `avx2` or `avx512`. It is the tokenizer's,
/// which refuses other values. Read once.
const INSTRUCTIONS_VARIABLE: &str = "HOMESPUN_INSTRUCTIONS";

/// The number of the widest level that may be chosen.
fn most() -> u8 {
    let level = match std::env::var(INSTRUCTIONS_VARIABLE).as_deref() {
        Err(_) => Level::Avx512Bf16,
        Ok("avx512") => Level::Avx512,
        Ok("avx2") => Level::Avx2,
        Ok(_) => Level::Portable,
    };
    level as u8
}

impl Level {
    /// All levels, the widest last.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16];

    /// Returns whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => has_avx512(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => has_avx512_bf16(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 | Self::Avx512Bf16 => false,
        }
    }

    /// Returns the level in use: the widest that this processor has, unless [`Level::force`] chose another or
    /// [`INSTRUCTIONS_VARIABLE`] leaves it unused.
    #[inline]
    pub fn current() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        if let Some(level) = Self::ALL.into_iter().find(|level| *level as u8 == chosen) {
            return level;
        }
        let widest = Self::ALL
            .into_iter()
            .rev()
            .find(|level| level.is_supported() && *level as u8 <= most());
        let level = widest.unwrap_or(Self::Portable);
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
            Self::Avx512 | Self::Avx512Bf16 => {
                // SAFETY: work is done at levels that `is_supported` found, by `has_avx512` and what asks for more.
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

    /// Does `work` on products, compiled for this level and a precision.
    #[inline]
    pub(crate) fn run_product<W: ProductWork>(self, precision: Precision, work: W) -> W::Output {
        match (precision, self) {
            (Precision::Float32, _) => self.run(OnFloat32(work)),
            #[cfg(target_arch = "x86_64")]
            (Precision::Bfloat16, Self::Avx512Bf16) => {
                // SAFETY: as in `run`, with `has_avx512_bf16`.
                unsafe { run_product_avx512_bf16(work) }
            }
            (Precision::Bfloat16, _) => self.run(OnWidened(work)),
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

/// An operation of products with its arguments.
pub(crate) trait ProductWork {
    /// What it returns.
    type Output;

    /// Does the work. Marked `#[inline(always)]`, as [`Work::run`] is.
    fn run<A: Arithmetic>(self) -> Self::Output;
}

struct OnFloat32<W>(W);

impl<W: ProductWork> Work for OnFloat32<W> {
    type Output = W::Output;

    #[inline(always)]
    fn run<V: Vector>(self) -> W::Output {
        self.0.run::<Float32<V>>()
    }
}

struct OnWidened<W>(W);

impl<W: ProductWork> Work for OnWidened<W> {
    type Output = W::Output;

    #[inline(always)]
    fn run<V: Vector>(self) -> W::Output {
        self.0.run::<Widened<V>>()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512bf16")]
fn run_product_avx512_bf16<W: ProductWork>(work: W) -> W::Output {
    work.run::<Dpbf16>()
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
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            Level::Avx512Bf16.is_supported(),
            Level::Avx512.is_supported()
                && is_x86_feature_detected!("avx512bf16")
                && is_x86_feature_detected!("avx512bw")
        );
        assert!(Level::current().is_supported());
        for level in Level::ALL.into_iter().filter(|level| !level.is_supported()) {
            assert!(std::panic::catch_unwind(|| level.force()).is_err());
        }
    }
}
