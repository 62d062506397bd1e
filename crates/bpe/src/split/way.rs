//! The ways to run a hand-written pattern: which there are, and which this machine takes.

use super::blocks;
use super::classify::Portable;
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
            Self::Avx2 => is_x86_feature_detected!("avx2") && has_bit_instructions(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512bw") && has_bit_instructions(),
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

/// What both wide ways use beside their vectors.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_bit_instructions() -> bool {
    is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Calls `on_batch(start, ends)` for the pre-tokens, some at a time: the first of them begins at `start`, each other where
/// the one before it ends. A way that is not possible here is replaced by [`Way::Portable`].
#[inline]
pub(super) fn for_each_batch<P: Pattern>(way: Way, pattern: P, text: &[u8], mut on_batch: impl FnMut(usize, &[usize])) {
    match way {
        Way::Scalar => scalar::for_each(pattern, text, |start, end| on_batch(start, &[end])),
        #[cfg(target_arch = "aarch64")]
        Way::Neon => blocks::for_each_batch::<super::classify::Neon, P>(pattern, text, on_batch),
        #[cfg(target_arch = "x86_64")]
        Way::Avx512 if way.is_possible() => {
            // SAFETY: the processor has what the function is compiled for.
            unsafe { for_each_batch_avx512(pattern, text, on_batch) }
        }
        #[cfg(target_arch = "x86_64")]
        Way::Avx2 if way.is_possible() => {
            // SAFETY: the processor has what the function is compiled for.
            unsafe { for_each_batch_avx2(pattern, text, on_batch) }
        }
        _ => blocks::for_each_batch::<Portable, P>(pattern, text, on_batch),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn for_each_batch_avx512<P: Pattern>(pattern: P, text: &[u8], on_batch: impl FnMut(usize, &[usize])) {
    blocks::for_each_batch::<super::classify::Avx512, P>(pattern, text, on_batch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn for_each_batch_avx2<P: Pattern>(pattern: P, text: &[u8], on_batch: impl FnMut(usize, &[usize])) {
    blocks::for_each_batch::<super::classify::Avx2, P>(pattern, text, on_batch);
}
