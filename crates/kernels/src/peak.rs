//! The most arithmetic that the processor does: loops that stay in registers.
//!
//! A product also loads and stores, so its rate divided by this one says how much of the processor it uses.

#![allow(unsafe_code, reason = "calls a loop compiled for bfloat16 dot products")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::level::{Level, Work};
use crate::pool::Pool;
#[cfg(target_arch = "x86_64")]
use crate::processor::has_avx512_bf16;
use crate::vector::Vector;

/// Sums that do not wait for each other: an instruction's result takes 4 cycles, and two begin in each, so 8 are needed;
/// twelve and the operands fit the 16 registers of AVX2.
const NUM_SUMS: usize = 12;

/// As above; results take 6 cycles on Zen 5: 8 sums reach 356 GFLOP/s, 12 reach 493, 16 and 24 reach 540 (measured
/// 2026-11-27 with this function).
#[cfg(target_arch = "x86_64")]
const NUM_BFLOAT16_SUMS: usize = 24;

/// Steps of one call: 15 us on Zen 5, far shorter than a time slice of the system and far longer than reading the clock.
const NUM_STEPS: usize = 10_000;

/// How long calls are repeated: the clock of a core takes some milliseconds to rise.
const BUDGET: Duration = Duration::from_millis(50);

/// Returns the FLOP/s of fused multiply-adds of float32 numbers at `level`, on all threads of `pool` together.
///
/// # Panics
/// If this processor does not have the level.
pub fn multiply_add_flops(pool: &Pool, level: Level) -> f64 {
    assert!(level.is_supported(), "this processor has no {level:?}");
    total_rate(pool, &|| 2 * NUM_STEPS * level.run(MultiplyAdds(NUM_STEPS)).len())
}

/// Returns the FLOP/s of dot products of pairs of bfloat16 numbers, added to float32 sums, on all threads of `pool`
/// together; none if the processor has no such instruction.
pub fn bfloat16_dot_flops(pool: &Pool) -> Option<f64> {
    bfloat16_dots(1)?;
    Some(total_rate(pool, &|| {
        4 * NUM_STEPS * bfloat16_dots(NUM_STEPS).map_or(0, |sums| sums.len())
    }))
}

/// Returns the operations a second of all threads: the sum of each one's rate while all are at work. Each call of `work`
/// returns how many operations it did.
fn total_rate(pool: &Pool, work: &(dyn Fn() -> usize + Sync)) -> f64 {
    // Threads that share a core do not add up.
    let num_cores = thread::available_parallelism().map_or(1, usize::from);
    let total = Mutex::new(0.0);
    pool.run(pool.num_threads().min(num_cores), &|_| {
        let rate = median_rate(work);
        *total.lock().unwrap_or_else(PoisonError::into_inner) += rate;
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the median of many calls' rates. Other processes interrupt few calls, even where they take half of the time,
/// so this is the processor's rate, not what they leave of it.
fn median_rate(work: &dyn Fn() -> usize) -> f64 {
    let began = Instant::now();
    let mut rates = Vec::new();
    while began.elapsed() < BUDGET {
        let call = Instant::now();
        let operations = work();
        rates.push(operations as f64 / call.elapsed().as_secs_f64());
    }
    let middle = rates.len() / 2;
    *rates.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// `sum = sum * factor + summand` in every place of the sums, as many times. Returns the sums.
struct MultiplyAdds(usize);

const FACTOR: f32 = 0.999;
const SUMMAND: f32 = 1e-3;

impl Work for MultiplyAdds {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Vec<f32> {
        // Behind black boxes, or places that hold the same number would be computed once.
        let (factor, summand) = black_box(([FACTOR; 16], [SUMMAND; 16]));
        let (factor, summand) = (V::load(&factor), V::load(&summand));
        let mut sums: [V; NUM_SUMS] = std::array::from_fn(|i| V::load(&black_box([i as f32; 16])));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, summand);
            }
        }
        let mut numbers = vec![0.0; NUM_SUMS * V::LEN];
        for (sum, numbers) in sums.into_iter().zip(numbers.chunks_exact_mut(V::LEN)) {
            sum.store(numbers);
        }
        numbers
    }
}

/// Adds 1 * 0.25 + 1 * 0.25 to every place of the sums `num_steps` times; returns the sums, or none if the processor
/// cannot.
fn bfloat16_dots(num_steps: usize) -> Option<Vec<f32>> {
    #[cfg(target_arch = "x86_64")]
    if has_avx512_bf16() {
        // SAFETY: the processor has the instructions.
        return Some(unsafe { bfloat16_dots_avx512_bf16(num_steps) });
    }
    let _ = num_steps;
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bf16")]
fn bfloat16_dots_avx512_bf16(num_steps: usize) -> Vec<f32> {
    /// 1 and 0.25, twice each.
    const ONES: i32 = 0x3f80_3f80;
    const QUARTERS: i32 = 0x3e80_3e80;
    let (ones, quarters) = black_box((ONES, QUARTERS));
    // SAFETY: 64 bytes each, any of which are numbers.
    let [ones, quarters] = unsafe {
        std::mem::transmute::<[__m512i; 2], [__m512bh; 2]>([_mm512_set1_epi32(ones), _mm512_set1_epi32(quarters)])
    };
    let mut sums: [__m512; NUM_BFLOAT16_SUMS] = std::array::from_fn(|i| <__m512 as Vector>::splat(i as f32));
    for _ in 0..num_steps {
        for sum in &mut sums {
            *sum = _mm512_dpbf16_ps(*sum, ones, quarters);
        }
    }
    let mut numbers = vec![0.0; NUM_BFLOAT16_SUMS * 16];
    for (sum, numbers) in sums.into_iter().zip(numbers.chunks_exact_mut(16)) {
        sum.store(numbers);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the loop in single numbers. So the loops do the operations that are counted.
    #[test]
    fn loops_compute_what_they_count() {
        const STEPS: usize = 10;
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            let found = level.run(MultiplyAdds(STEPS));
            let len = found.len() / NUM_SUMS;
            for (place, found) in found.into_iter().enumerate() {
                let start = (place / len) as f32;
                let expected = (0..STEPS).fold(start, |sum, _| sum.mul_add(FACTOR, SUMMAND));
                assert_eq!(found, expected, "{level:?}, place {place}");
            }
        }
        if let Some(found) = bfloat16_dots(STEPS) {
            for (place, found) in found.into_iter().enumerate() {
                assert_eq!(found, (place / 16) as f32 + 0.5 * STEPS as f32, "place {place}");
            }
        }
    }

    // Oracle: the processor's flags.
    #[test]
    #[cfg_attr(miri, ignore = "measures for a tenth of a second")]
    fn rates_are_those_of_the_instructions_there_are() {
        let pool = Pool::new(2);
        let rate = multiply_add_flops(&pool, Level::Portable);
        assert!(rate.is_finite() && rate > 0.0);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            bfloat16_dot_flops(&pool).is_some(),
            is_x86_feature_detected!("avx512bf16") && Level::Avx512.is_supported()
        );
        #[cfg(not(target_arch = "x86_64"))]
        assert!(bfloat16_dot_flops(&pool).is_none());
    }
}
