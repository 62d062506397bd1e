//! What the tests of operations share.

#![allow(dead_code, reason = "each file of tests uses some of it")]

use homespun_kernels::level::Level;
use homespun_kernels::pool::Pool;

/// Numbers without a pattern, in -1..1.
pub fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32).mul_add(2.0, -1.0)
    };
    (0..len).map(|_| next()).collect()
}

/// Runs `operation` at every level and on several threads; returns its results, which must be the same to the bit.
pub fn everywhere(operation: impl Fn(&Pool) -> Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let pools = [1, 2, 3].map(Pool::new);
    let mut results = Vec::new();
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        level.force();
        results.extend(pools.iter().map(|pool| (level, operation(pool))));
    }
    let (_, first) = results.swap_remove(0);
    for (level, result) in results {
        assert!(result == first, "{level:?}");
    }
    first
}

/// Checks that `found` is `expected` up to some roundings of its greatest element, or of 1.
pub fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let greatest = expected
        .iter()
        .fold(1.0f64, |greatest, value| greatest.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / greatest;
        assert!(error < 2e-6, "{i}: {found}, not {expected}");
    }
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}
