//! How fast memory is: read, copied, and touched for the first time.

use std::hint::black_box;
use std::time::Instant;

use crate::level::{Level, Work};
use crate::pool::Pool;
use crate::vector::Vector;

/// Numbers that a thread claims at a time: 1 MiB.
const CHUNK: usize = 1 << 18;

/// Sums of the reading loop that do not wait for each other.
const NUM_SUMS: usize = 8;

/// Times that each measurement is repeated; the shortest counts, since other processes can only prolong it.
const REPEATS: usize = 8;

/// Bytes of fresh memory: more than glibc ever takes from memory that was freed before, 32 MiB.
const FRESH_BYTES: usize = 64 << 20;

/// Bytes a second, on all threads of a pool together.
pub struct Bandwidth {
    /// Of reading.
    pub read: f64,
    /// Of copying: the bytes read plus the bytes written.
    pub copy: f64,
}

/// Measures the bandwidth of two buffers of `num_bytes` each, which must be larger than the processor's caches.
pub fn bandwidth(pool: &Pool, num_bytes: usize) -> Bandwidth {
    let num_bytes = num_bytes.next_multiple_of(4 * NUM_SUMS * 16);
    let (mut source, mut target) = (vec![0.0; num_bytes / 4], vec![0.0; num_bytes / 4]);
    // Written once: memory that never was is all one page of zeros.
    pool.for_each(source.chunks_mut(CHUNK).chain(target.chunks_mut(CHUNK)), |numbers| {
        numbers.fill(1.0);
    });
    let read = shortest(|| {
        pool.for_each(source.chunks(CHUNK), |numbers| {
            black_box(Level::current().run(Sum(numbers)));
        });
    });
    let copy = shortest(|| {
        pool.for_each(
            target.chunks_mut(CHUNK).zip(source.chunks(CHUNK)),
            |(target, source)| {
                target.copy_from_slice(source);
            },
        );
        black_box(&mut target);
    });
    Bandwidth {
        read: num_bytes as f64 / read,
        copy: 2.0 * num_bytes as f64 / copy,
    }
}

/// Returns the seconds that it takes to write to one of the system's pages, of `page_bytes`, for the first time.
///
/// # Panics
/// If `page_bytes` is 0.
pub fn fresh_page_seconds(page_bytes: usize) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        // Zeros are what fresh memory holds, so nothing is written here.
        let mut memory = vec![0u8; FRESH_BYTES];
        let began = Instant::now();
        memory.iter_mut().step_by(page_bytes).for_each(|byte| *byte = 1);
        black_box(&mut memory);
        best = best.min(began.elapsed().as_secs_f64());
    }
    best / FRESH_BYTES.div_ceil(page_bytes) as f64
}

fn shortest(mut work: impl FnMut()) -> f64 {
    let seconds = (0..REPEATS).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

/// The sum of numbers; a multiple of all sums' places.
struct Sum<'a>(&'a [f32]);

impl Work for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<V: Vector>(self) -> f32 {
        let mut sums = [V::splat(0.0); NUM_SUMS];
        for numbers in self.0.chunks_exact(NUM_SUMS * V::LEN) {
            for (sum, numbers) in sums.iter_mut().zip(numbers.chunks_exact(V::LEN)) {
                *sum = sum.add(V::load(numbers));
            }
        }
        let mut places = [0.0; 16];
        sums.into_iter().fold(V::splat(0.0), V::add).store(&mut places);
        places.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: each number counted once.
    #[test]
    fn every_number_is_read() {
        let numbers = vec![1.0; 4 * NUM_SUMS * 16];
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            assert_eq!(level.run(Sum(&numbers)), numbers.len() as f32, "{level:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "writes much memory")]
    fn rates_are_positive() {
        let Bandwidth { read, copy } = bandwidth(&Pool::new(2), 1 << 20);
        let page = fresh_page_seconds(4096);
        assert!([read, copy, page].iter().all(|rate| rate.is_finite() && *rate > 0.0));
    }
}
