use super::*;
use crate::level::{Level, Work};

/// What each function of a vector gives for `[a, b, c]`, the first numbers of each.
struct Compute<'a>([&'a [f32]; 3]);

impl Work for Compute<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Vec<Vec<f32>> {
        let [a, b, c] = self.0.map(V::load_some);
        let shifted = V::splat(ROUNDER - 3.0);
        let results = [
            a.add(b),
            a.sub(b),
            a.mul(b),
            a.div(b),
            a.max(b),
            a.min(b),
            a.mul_add(b, c),
            a.scale(shifted),
            a.exp(),
            b.mul(b).sqrt(),
            b.where_not_negative(a),
            a.tanh(),
        ];
        let store = |result: V| {
            let mut numbers = vec![0.0; 8];
            result.store_some(&mut numbers[..5]);
            numbers
        };
        results.map(store).to_vec()
    }
}

// Oracle: arithmetic of single numbers, and float64's exponential.
#[test]
fn vectors_compute_what_numbers_do() {
    let numbers = [
        [1.5, -2.0, 1e-3, 7.25, f32::NAN, 9.0, 9.0, 9.0],
        [0.5, 3.0, -4.0, 1e6, 2.0, 9.0, 9.0, 9.0],
        [1e-8; 8],
    ];
    let [a, b, c] = numbers;
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        let found = level.run(Compute([&a[..5], &b[..5], &c[..5]]));
        for i in 0..4 {
            let expected = [
                a[i] + b[i],
                a[i] - b[i],
                a[i] * b[i],
                a[i] / b[i],
                a[i].max(b[i]),
                a[i].min(b[i]),
                a[i].mul_add(b[i], c[i]),
                a[i] / 8.0,
            ];
            let results: Vec<f32> = found.iter().map(|result| result[i]).collect();
            assert_eq!(results[..8], expected, "{level:?}");
            assert_eq!(results[9], (b[i] * b[i]).sqrt(), "{level:?}");
            assert_eq!(results[10], if a[i] >= 0.0 { b[i] } else { 0.0 }, "{level:?}");
            let tanh = f64::from(a[i]).tanh();
            assert!(
                (f64::from(results[11]) - tanh).abs() <= 2.4e-7 * tanh.abs(),
                "{level:?}: tanh({}) = {}",
                a[i],
                results[11]
            );
            let exp = f64::from(a[i]).exp();
            assert!(
                (f64::from(results[8]) - exp).abs() <= 2.4e-7 * exp,
                "{level:?}: exp({}) = {}",
                a[i],
                results[8]
            );
        }
        // Not a number: maximum and minimum give the other, a condition zero, the rest gives none.
        let results: Vec<f32> = found.iter().map(|result| result[4]).collect();
        assert!(
            results[4] == b[4] && results[5] == b[4] && results[10] == 0.0,
            "{level:?}"
        );
        assert!([0, 1, 2, 3, 6, 8, 11].iter().all(|&i| results[i].is_nan()), "{level:?}");
        assert!(
            found.iter().all(|result| result[5..] == [0.0; 3]),
            "nothing is written beyond the end"
        );
    }
}

/// Hyperbolic tangents.
struct Tanh<'a>(&'a [f32]);

impl Work for Tanh<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Vec<f32> {
        let mut tanh = vec![0.0; self.0.len()];
        for (x, tanh) in self.0.chunks(V::LEN).zip(tanh.chunks_mut(V::LEN)) {
            V::load_some(x).tanh().store_some(tanh);
        }
        tanh
    }
}

// Oracle: float64's. From the smallest numbers to where the result is 1.
#[test]
fn hyperbolic_tangents_are_within_four_units_in_the_last_place() {
    let magnitudes = (0..2000)
        .map(|i| 1e-30 * 1.04f32.powi(i))
        .chain([0.0, 1e30, f32::INFINITY]);
    let numbers: Vec<f32> = magnitudes.flat_map(|x| [x, -x]).collect();
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        for (x, found) in numbers.iter().zip(level.run(Tanh(&numbers))) {
            let expected = f64::from(*x).tanh();
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 4.8e-7 * expected.abs(), "{level:?}: tanh({x}) = {found}");
        }
    }
}
