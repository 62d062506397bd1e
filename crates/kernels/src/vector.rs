//! Registers of numbers: what the operations compute with, at each level.

#![allow(unsafe_code, reason = "calls the processor's instructions")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Numbers of the longest vector.
pub(crate) const MAX_LEN: usize = 16;

/// Rows of the largest tile.
pub(crate) const MAX_TILE_ROWS: usize = 12;

/// Fetches `values` into the cache: they will be read soon, and the processor does not foresee it.
#[inline(always)]
pub(crate) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        // SAFETY: any address may be prefetched; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    let _ = values;
}

/// A register of numbers. Its functions are used within [`crate::level::Level::run`] alone, on a processor that has the
/// instructions.
pub(crate) trait Vector: Copy {
    /// Numbers in it.
    const LEN: usize;

    /// Rows of the tile of a product that the registers hold, each of two vectors.
    const TILE_ROWS: usize;

    /// Returns `value` in all places.
    fn splat(value: f32) -> Self;

    /// Returns the first numbers of `values`.
    fn load(values: &[f32]) -> Self;

    /// Writes the numbers to the beginning of `values`.
    fn store(self, values: &mut [f32]);

    /// Returns the first numbers of `values`, and zeros where there are too few.
    #[inline(always)]
    fn load_some(values: &[f32]) -> Self {
        if values.len() >= Self::LEN {
            return Self::load(values);
        }
        let mut padded = [0.0; MAX_LEN];
        padded[..values.len()].copy_from_slice(values);
        Self::load(&padded)
    }

    /// Writes as many of the numbers as `values` has room for.
    #[inline(always)]
    fn store_some(self, values: &mut [f32]) {
        if values.len() >= Self::LEN {
            return self.store(values);
        }
        let mut padded = [0.0; MAX_LEN];
        self.store(&mut padded);
        values.copy_from_slice(&padded[..values.len()]);
    }

    /// Returns `self * factor + summand`, rounded once.
    fn mul_add(self, factor: Self, summand: Self) -> Self;

    /// Returns `self + other`.
    fn add(self, other: Self) -> Self;

    /// Returns `self - other`.
    fn sub(self, other: Self) -> Self;

    /// Returns `self * other`.
    fn mul(self, other: Self) -> Self;

    /// Returns `self / other`.
    fn div(self, other: Self) -> Self;

    /// Returns the square root.
    fn sqrt(self) -> Self;

    /// Returns the greater of both, and `other` where either is not a number.
    fn max(self, other: Self) -> Self;

    /// Returns the lesser of both, and `other` where either is not a number.
    fn min(self, other: Self) -> Self;

    /// Returns `self * 2**n`, where `n` is an integer plus [`ROUNDER`]; both factors and the result are normal numbers.
    fn scale(self, n: Self) -> Self;

    /// Returns the numbers whose first 16 bits are the last 16 of each, followed by zeros.
    fn low_half(self) -> Self;

    /// Returns the numbers whose first 16 bits are the first 16 of each, followed by zeros.
    fn high_half(self) -> Self;

    /// Returns the numbers, those below 2**-126 as zeros of their sign.
    fn flush(self) -> Self;

    /// Returns the numbers where those of `condition` are zero or more, and zeros elsewhere.
    fn where_not_negative(self, condition: Self) -> Self;

    /// Returns e to the power of each number, within 2 units in the last place; at least 2**-126, and not a number where
    /// that is what it is given.
    #[inline(always)]
    fn exp(self) -> Self {
        let (power, n) = self.reduced_power();
        power.add(Self::splat(1.0)).scale(n)
    }

    /// Returns the hyperbolic tangent of each number, within 4 units in the last place; not a number where that is what it
    /// is given.
    #[inline(always)]
    fn tanh(self) -> Self {
        // tanh(x) = -t / (2 + t) with t = e**(-2 x) - 1, which is computed without cancellation: near 0 it is what
        // `reduced_power` gives. Below -40 the result is -1, and e**80 is far from overflow.
        let (power, n) = Self::splat(-40.0).max(self).mul(Self::splat(-2.0)).reduced_power();
        let scale = Self::splat(1.0).scale(n);
        let t = power.mul_add(scale, scale.sub(Self::splat(1.0)));
        Self::splat(0.0).sub(t).div(t.add(Self::splat(2.0)))
    }

    /// Returns p and n such that e to the power of each number is 2**n (1 + p), with n as [`Vector::scale`] takes it.
    #[inline(always)]
    fn reduced_power(self) -> (Self, Self) {
        // x = n ln 2 + r, and e**x = 2**n e**r with |r| <= ln 2 / 2. The second part of ln 2 has what the first, of few
        // bits, lacks. Cody & Waite 1980, Software Manual for the Elementary Functions, chapter 6.
        let x = Self::splat(-87.336_54).max(Self::splat(88.722_83).min(self));
        let n = x.mul_add(Self::splat(std::f32::consts::LOG2_E), Self::splat(ROUNDER));
        let rounded = n.sub(Self::splat(ROUNDER));
        let r = rounded.mul_add(Self::splat(-0.693_359_4), x);
        let r = rounded.mul_add(Self::splat(2.121_944_4e-4), r);
        // e**r = 1 + r + r**2 p(r), with p fitted for the least relative error.
        let p = Self::splat(1.987_569_2e-4).mul_add(r, Self::splat(1.398_199_9e-3));
        let p = p.mul_add(r, Self::splat(8.333_452e-3));
        let p = p.mul_add(r, Self::splat(4.166_579_6e-2));
        let p = p.mul_add(r, Self::splat(1.666_666_5e-1));
        let p = p.mul_add(r, Self::splat(0.5));
        (p.mul_add(r.mul(r), r), n)
    }
}

/// 1.5 * 2**23: a number below 2**22 that is added to it is rounded to an integer, which is then in its last bits.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

impl Vector for [f32; 8] {
    const LEN: usize = 8;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        [value; 8]
    }

    #[inline(always)]
    fn load(values: &[f32]) -> Self {
        std::array::from_fn(|i| values[i])
    }

    #[inline(always)]
    fn store(self, values: &mut [f32]) {
        values[..8].copy_from_slice(&self);
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        std::array::from_fn(|i| self[i].mul_add(factor[i], summand[i]))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] * other[i])
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] / other[i])
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        std::array::from_fn(|i| self[i].sqrt())
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] > other[i] { self[i] } else { other[i] })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        std::array::from_fn(|i| if self[i] < other[i] { self[i] } else { other[i] })
    }

    #[inline(always)]
    fn scale(self, n: Self) -> Self {
        std::array::from_fn(|i| f32::from_bits(self[i].to_bits().wrapping_add(n[i].to_bits() << 23)))
    }

    #[inline(always)]
    fn low_half(self) -> Self {
        self.map(|value| f32::from_bits(value.to_bits() << 16))
    }

    #[inline(always)]
    fn high_half(self) -> Self {
        self.map(|value| f32::from_bits(value.to_bits() >> 16 << 16))
    }

    #[inline(always)]
    fn flush(self) -> Self {
        self.map(|value| {
            if value.is_subnormal() {
                0.0f32.copysign(value)
            } else {
                value
            }
        })
    }

    #[inline(always)]
    fn where_not_negative(self, condition: Self) -> Self {
        std::array::from_fn(|i| if condition[i] >= 0.0 { self[i] } else { 0.0 })
    }
}

/// Implements [`Vector`] by instructions that load, store, fill and multiply.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    (
        $register:ty, $len:literal, $rows:literal, $load:ident, $store:ident, $splat:ident, $mul_add:ident,
        $sqrt:ident,
        $($operation:ident = $instruction:ident),*; $to_bits:ident, $of_bits:ident, $shift:ident, $add_bits:ident,
        $shift_right:ident, $flush:expr, $where:expr
    ) => {
        impl Vector for $register {
            const LEN: usize = $len;
            const TILE_ROWS: usize = $rows;

            #[inline(always)]
            fn splat(value: f32) -> Self {
                // SAFETY: the processor has the instruction.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            fn load(values: &[f32]) -> Self {
                let values: &[f32; $len] = values.first_chunk().expect("a whole vector");
                // SAFETY: reads that array; the processor has the instruction.
                unsafe { $load(values.as_ptr()) }
            }

            #[inline(always)]
            fn store(self, values: &mut [f32]) {
                let values: &mut [f32; $len] = values.first_chunk_mut().expect("a whole vector");
                // SAFETY: writes that array; the processor has the instruction.
                unsafe { $store(values.as_mut_ptr(), self) }
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, summand: Self) -> Self {
                // SAFETY: the processor has the instruction.
                unsafe { $mul_add(self, factor, summand) }
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: the processor has the instruction.
                unsafe { $sqrt(self) }
            }

            $(
                #[inline(always)]
                fn $operation(self, other: Self) -> Self {
                    // SAFETY: the processor has the instruction.
                    unsafe { $instruction(self, other) }
                }
            )*

            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                // SAFETY: the processor has the instructions.
                unsafe { $of_bits($add_bits($to_bits(self), $shift::<23>($to_bits(n)))) }
            }

            #[inline(always)]
            fn low_half(self) -> Self {
                // SAFETY: the processor has the instruction.
                unsafe { $of_bits($shift::<16>($to_bits(self))) }
            }

            #[inline(always)]
            fn high_half(self) -> Self {
                // SAFETY: the processor has the instructions.
                unsafe { $of_bits($shift::<16>($shift_right::<16>($to_bits(self)))) }
            }

            #[inline(always)]
            fn flush(self) -> Self {
                $flush(self)
            }

            #[inline(always)]
            fn where_not_negative(self, condition: Self) -> Self {
                $where(self, condition)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(
    __m256,
    8,
    6,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_sqrt_ps,
    add = _mm256_add_ps, sub = _mm256_sub_ps, mul = _mm256_mul_ps, div = _mm256_div_ps, max = _mm256_max_ps,
    min = _mm256_min_ps; _mm256_castps_si256, _mm256_castsi256_ps, _mm256_slli_epi32, _mm256_add_epi32,
    _mm256_srli_epi32, |numbers| {
        // SAFETY: the processor has the instructions.
        unsafe {
            let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), numbers);
            let is_small = _mm256_cmp_ps::<_CMP_LT_OQ>(magnitude, _mm256_set1_ps(f32::MIN_POSITIVE));
            // All bits but the sign.
            let cleared = _mm256_castsi256_ps(_mm256_srli_epi32::<1>(_mm256_castps_si256(is_small)));
            _mm256_andnot_ps(cleared, numbers)
        }
    }, |numbers, condition| {
        // SAFETY: the processor has the instructions.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(condition, _mm256_setzero_ps()), numbers) }
    }
);
#[cfg(target_arch = "x86_64")]
vector!(
    __m512,
    16,
    12,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_sqrt_ps,
    add = _mm512_add_ps, sub = _mm512_sub_ps, mul = _mm512_mul_ps, div = _mm512_div_ps, max = _mm512_max_ps,
    min = _mm512_min_ps; _mm512_castps_si512, _mm512_castsi512_ps, _mm512_slli_epi32, _mm512_add_epi32,
    _mm512_srli_epi32, |numbers| {
        // SAFETY: the processor has the instructions.
        unsafe {
            let limit = _mm512_set1_ps(f32::MIN_POSITIVE);
            let is_small = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(_mm512_abs_ps(numbers), limit);
            let (bits, sign) = (_mm512_castps_si512(numbers), _mm512_set1_epi32(i32::MIN));
            _mm512_castsi512_ps(_mm512_mask_and_epi32(bits, is_small, bits, sign))
        }
    }, |numbers, condition| {
        // SAFETY: the processor has the instructions.
        unsafe {
            let is_kept = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(condition, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(is_kept, numbers)
        }
    }
);

#[cfg(test)]
mod tests;
