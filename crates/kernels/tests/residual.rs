//! Sums of streams against their definition in float64, and with the same bits at every level and for any number of threads.

mod common;

use common::{assert_close, everywhere, numbers, wide};
use homespun_kernels::residual::{scaled_sum, scaled_sum_backward, Given};

#[test]
fn scaled_sums_and_their_gradients() {
    let scales = [0.75, -0.3];
    for (num_rows, width) in [(1, 1), (5, 7), (700, 100), (3, 20_000)] {
        let [x, other, dy] = [1, 2, 3].map(|seed| numbers(num_rows * width, seed));
        let results = everywhere(|pool| {
            let [mut y, mut dx, mut dother] = [(); 3].map(|()| vec![0.0; x.len()]);
            scaled_sum(pool, &x, &other, scales, &mut y);
            let given = Given {
                dy: &dy,
                x: &x,
                other: &other,
                scales,
            };
            let dscales = scaled_sum_backward(pool, given, width, &mut dx, &mut dother);
            vec![y, dx, dother, dscales.map(|x| x as f32).to_vec()]
        });
        let [x, other, dy] = [x, other, dy].map(|values| wide(&values));
        let [first, second] = scales.map(f64::from);
        let y: Vec<f64> = x
            .iter()
            .zip(&other)
            .map(|(x, other)| first * x + second * other)
            .collect();
        let [dx, dother] = [first, second].map(|scale| dy.iter().map(|dy| scale * dy).collect::<Vec<_>>());
        let dot = |values: &[f64]| dy.iter().zip(values).map(|(dy, x)| dy * x).sum::<f64>();
        for (found, expected) in results.iter().zip([y, dx, dother]) {
            assert_close(found, &expected);
        }
        // Each row is rounded to 2^-24, and to what float32 has left of hundreds of terms.
        for (found, expected) in results[3].iter().zip([dot(&x), dot(&other)]) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-4 * expected.abs().max(1.0),
                "{found}, not {expected}"
            );
        }
    }
}

// Oracle: identity. Rows in two calls, or in one: the sums are exact.
#[test]
fn gradients_of_scales_do_not_depend_on_the_division_into_calls() {
    let (width, scales) = (24, [1.25, 0.5]);
    let [x, other, dy] = [1, 2, 3].map(|seed| numbers(999 * width, seed));
    let pool = homespun_kernels::pool::Pool::new(2);
    let sums = |rows: std::ops::Range<usize>| {
        let part = rows.start * width..rows.end * width;
        let given = Given {
            dy: &dy[part.clone()],
            x: &x[part.clone()],
            other: &other[part.clone()],
            scales,
        };
        let [mut dx, mut dother] = [(); 2].map(|()| vec![0.0; part.len()]);
        scaled_sum_backward(&pool, given, width, &mut dx, &mut dother)
    };
    let (whole, first, second) = (sums(0..999), sums(0..123), sums(123..999));
    assert_eq!(whole, [first[0] + second[0], first[1] + second[1]]);
}
