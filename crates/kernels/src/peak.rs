//! The most arithmetic that the processor does: loops that stay in registers.
//!
//! A product also loads and stores, so its rate divided by this one says how much of the processor it uses.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::arithmetic::{Arithmetic, Precision};
use crate::level::{Level, ProductWork};
use crate::pool::Pool;
use crate::vector::{Vector, MAX_LEN};

/// Sums that do not wait for each other: an instruction's result takes 4 cycles, and two begin in each, so 8 are needed;
/// twelve and the operands fit the 16 registers of AVX2.
const NUM_SUMS: usize = 12;

/// As above; results take 6 cycles on Zen 5: 8 sums reach 356 GFLOP/s, 12 reach 493, 16 and 24 reach 540 (measured
/// 2026-11-27 with this function).
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
    total_rate(pool, &|| {
        let sums = level.run_product(Precision::Float32, MultiplyAdds::<NUM_SUMS>(NUM_STEPS));
        2 * NUM_STEPS * sums.len()
    })
}

/// Returns the FLOP/s of dot products of pairs of bfloat16 numbers, added to float32 sums, on all threads of `pool`
/// together; none if the processor has no such instruction.
pub fn bfloat16_dot_flops(pool: &Pool) -> Option<f64> {
    Level::Avx512Bf16.is_supported().then(|| {
        total_rate(pool, &|| {
            let work = MultiplyAdds::<NUM_BFLOAT16_SUMS>(NUM_STEPS);
            4 * NUM_STEPS * Level::Avx512Bf16.run_product(Precision::Bfloat16, work).len()
        })
    })
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

/// Adds 1 * 0.25, or of pairs both products, to every place of some sums, as many times. Returns the sums.
struct MultiplyAdds<const NUM_SUMS: usize>(usize);

impl<const NUM_SUMS: usize> ProductWork for MultiplyAdds<NUM_SUMS> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Vec<f32> {
        // Behind black boxes, or places that hold the same number would be computed once.
        let [ones, quarters] = black_box([[1.0; MAX_LEN], [0.25; MAX_LEN]]).map(|numbers| A::V::load(&numbers));
        let (ones, quarters) = (A::join(ones, ones), A::join(quarters, quarters));
        let mut sums: [A::V; NUM_SUMS] = std::array::from_fn(|i| A::V::load(&black_box([i as f32; MAX_LEN])));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = A::mul_add(ones, quarters, *sum);
            }
        }
        let mut numbers = vec![0.0; NUM_SUMS * A::V::LEN];
        for (sum, numbers) in sums.into_iter().zip(numbers.chunks_exact_mut(A::V::LEN)) {
            sum.store(numbers);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: multiplication. So the loops do the operations that are counted.
    #[test]
    fn loops_compute_what_they_count() {
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            for (precision, added) in [(Precision::Float32, 2.5), (Precision::Bfloat16, 5.0)] {
                let found = level.run_product(precision, MultiplyAdds::<3>(10));
                let len = found.len() / 3;
                for (place, found) in found.into_iter().enumerate() {
                    assert_eq!(
                        found,
                        (place / len) as f32 + added,
                        "{precision:?}, {level:?}, place {place}"
                    );
                }
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
        assert_eq!(bfloat16_dot_flops(&pool).is_some(), Level::Avx512Bf16.is_supported());
    }
}
