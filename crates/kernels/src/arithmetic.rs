//! How the elements of a product are packed and multiplied: as they are, or rounded to bfloat16.
//!
//! Packed elements are words of 32 bits, whatever the precision: one number, or two bfloat16 numbers that follow each
//! other along the inner dimension, the first in the low half. A word that holds a pair is moved as the `f32` of these
//! bits, and nothing is computed with it but by [`Arithmetic::mul_add`].

#![allow(unsafe_code, reason = "calls the processor's instructions")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::marker::PhantomData;

use crate::vector::{Vector, MAX_LEN};

/// What a product's factors are rounded to. Sums are float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Nothing: each factor is multiplied as it is.
    Float32,
    /// bfloat16, to the nearest and in a tie to the even; numbers below 2**-126, as factors or sums, are zeros.
    Bfloat16,
}

impl Precision {
    /// Returns how many inner indices a word holds elements of.
    pub(crate) fn steps(self) -> usize {
        match self {
            Self::Float32 => 1,
            Self::Bfloat16 => 2,
        }
    }
}

/// How the elements of a product are packed and multiplied, at a level.
pub(crate) trait Arithmetic {
    /// The registers.
    type V: Vector;

    /// What it rounds to.
    const PRECISION: Precision;

    /// Inner indices whose elements a word holds.
    const STEPS: usize;

    /// Returns the words of numbers at an inner index, `first`, and where a word has two at the next, `second`.
    fn join(first: Self::V, second: Self::V) -> Self::V;

    /// Returns the words of numbers that follow each other along the inner dimension, as many as a register of words holds.
    fn gather(numbers: &[f32]) -> Self::V;

    /// Returns what a sum begins with where that was `sum`.
    #[inline(always)]
    fn begin(sum: Self::V) -> Self::V {
        sum
    }

    /// Returns `sum + left * right`, each product fused into the sum; of a pair, that of the high halves first. `sum` is
    /// what this or [`Arithmetic::begin`] returned.
    fn mul_add(left: Self::V, right: Self::V, sum: Self::V) -> Self::V;
}

/// Numbers as they are.
pub(crate) struct Float32<V>(PhantomData<V>);

impl<V: Vector> Arithmetic for Float32<V> {
    type V = V;
    const PRECISION: Precision = Precision::Float32;
    const STEPS: usize = 1;

    #[inline(always)]
    fn join(first: V, _: V) -> V {
        first
    }

    #[inline(always)]
    fn gather(numbers: &[f32]) -> V {
        V::load(numbers)
    }

    #[inline(always)]
    fn mul_add(left: V, right: V, sum: V) -> V {
        left.mul_add(right, sum)
    }
}

/// Pairs of bfloat16 numbers on a processor without instructions for them: what [`Dpbf16`] computes, to the bit. (But for
/// sums that lie from half to a quarter of a unit in the last place below 2**-126, which are rounded to it here and to
/// zero there: Zen 5 asks whether a sum is denormal once it is rounded as if exponents had no end.)
pub(crate) struct Widened<V>(PhantomData<V>);

impl<V: Vector> Arithmetic for Widened<V> {
    type V = V;
    const PRECISION: Precision = Precision::Bfloat16;
    const STEPS: usize = 2;

    #[inline(always)]
    fn join(first: V, second: V) -> V {
        let (mut low, mut high) = ([0.0; MAX_LEN], [0.0; MAX_LEN]);
        first.store(&mut low);
        second.store(&mut high);
        V::load(&std::array::from_fn::<f32, MAX_LEN, _>(|i| pair(low[i], high[i])))
    }

    #[inline(always)]
    fn gather(numbers: &[f32]) -> V {
        let mut words = [0.0; MAX_LEN];
        for (word, numbers) in words.iter_mut().zip(numbers[..2 * V::LEN].chunks_exact(2)) {
            *word = pair(numbers[0], numbers[1]);
        }
        V::load(&words)
    }

    #[inline(always)]
    fn begin(sum: V) -> V {
        sum.flush()
    }

    #[inline(always)]
    fn mul_add(left: V, right: V, sum: V) -> V {
        let sum = left.high_half().mul_add(right.high_half(), sum).flush();
        left.low_half().mul_add(right.low_half(), sum).flush()
    }
}

/// The word of two numbers, rounded.
fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits(u32::from(bfloat16(low)) | u32::from(bfloat16(high)) << 16)
}

/// The bits of the bfloat16 number nearest to `value`, in a tie the even one; zero where `value` is below 2**-126.
fn bfloat16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = if value.is_nan() {
        bits | 1 << 22
    } else if value.abs() < f32::MIN_POSITIVE {
        bits & 1 << 31
    } else {
        bits + 0x7fff + (bits >> 16 & 1)
    };
    (rounded >> 16) as u16
}

/// Pairs of bfloat16 numbers by the instructions for them, VCVTNE2PS2BF16 and VDPBF16PS. Its functions are used within
/// [`crate::level::Level::run_product`] alone, on a processor that has the instructions.
///
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2C, VDPBF16PS: products are fused into
/// the sum one after the other, the high halves' first, each rounded to the nearest; denormal numbers are read and
/// written as zeros, whatever MXCSR says. The tests compare that with the processor.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Dpbf16;

#[cfg(target_arch = "x86_64")]
impl Arithmetic for Dpbf16 {
    type V = __m512;
    const PRECISION: Precision = Precision::Bfloat16;
    const STEPS: usize = 2;

    #[inline(always)]
    fn join(first: __m512, second: __m512) -> __m512 {
        const ORDER: [u16; 32] = {
            let mut order = [0; 32];
            let mut i = 0;
            while i < 32 {
                order[i] = (i / 2 + 16 * (i % 2)) as u16;
                i += 1;
            }
            order
        };
        // SAFETY: reads that array; the processor has the instructions. A register of pairs may be any bits.
        unsafe {
            let order = _mm512_loadu_epi16(ORDER.as_ptr().cast());
            let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first));
            _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves))
        }
    }

    #[inline(always)]
    fn gather(numbers: &[f32]) -> __m512 {
        let (first, second) = (__m512::load(numbers), __m512::load(&numbers[16..]));
        // SAFETY: the processor has the instruction. A register of pairs may be any bits.
        unsafe { std::mem::transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(second, first)) }
    }

    #[inline(always)]
    fn mul_add(left: __m512, right: __m512, sum: __m512) -> __m512 {
        // SAFETY: the processor has the instruction. A register of pairs may be any bits.
        unsafe {
            let [left, right] = [left, right].map(|words| std::mem::transmute::<__m512, __m512bh>(words));
            _mm512_dpbf16_ps(sum, left, right)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::{Level, ProductWork};

    /// Sums of products of joined and of gathered numbers.
    struct Compute<'a>(&'a [f32]);

    impl ProductWork for Compute<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> Vec<f32> {
            let len = A::V::LEN;
            let joined = A::join(A::V::load(self.0), A::V::load(&self.0[16..]));
            let gathered = A::gather(&self.0[7..]);
            let mut sums = vec![0.0; len];
            A::mul_add(joined, gathered, A::V::load(&self.0[40..])).store(&mut sums);
            sums
        }
    }

    // Oracle: single numbers of the definition, which matmul/tests.rs compares with another one.
    #[test]
    fn instructions_compute_what_is_defined() {
        let numbers: Vec<f32> = (0..64).map(|i| (i as f32 - 30.3) * 1.017f32.powi(i)).collect();
        let round = |value| f32::from_bits(u32::from(bfloat16(value)) << 16);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            let found = level.run_product(Precision::Bfloat16, Compute(&numbers));
            for (i, found) in found.into_iter().enumerate() {
                let [low, high] = [0, 1].map(|half| [numbers[16 * half + i], numbers[7 + 2 * i + half]].map(round));
                let expected = low[0].mul_add(low[1], high[0].mul_add(high[1], numbers[40 + i]));
                assert_eq!(found, expected, "{level:?}, place {i}");
            }
        }
        assert_eq!(round(f32::MIN_POSITIVE / 2.0), 0.0);
        assert_eq!(round(1.0 + 1.0 / 256.0), 1.0, "a tie");
        assert_eq!(round(f32::MAX), f32::INFINITY);
        assert!(round(f32::from_bits(0x7f80_0001)).is_nan());
    }
}
