//! A step of Muon against its definition in float64, and with the same bits at every level and for any number of threads.

mod common;

use common::{assert_close, everywhere, numbers, wide};
use homespun_kernels::matmul::Precision;
use homespun_kernels::muon::{Muon, MuonParameter};

const JORDAN: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// The first five of arXiv:2505.16932: each iteration has its own.
const POLAR_EXPRESS: [[f64; 3]; 5] = [
    [8.287_212, -23.595_887, 17.300_387],
    [4.107_059, -2.947_850, 0.544_843],
    [3.948_691, -2.908_902, 0.551_819],
    [3.318_420, -2.488_488, 0.510_049],
    [2.300_652, -1.668_904, 0.418_807],
];

/// Rows of `b` times the rows of `a`, where both are rows of `inner`.
fn multiply_transposed(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    a.chunks(inner)
        .flat_map(|x| b.chunks(inner).map(move |y| dot(x, y)))
        .collect()
}

fn transposed(x: &[f64], num_columns: usize) -> Vec<f64> {
    let column = |column: usize| x.iter().skip(column).step_by(num_columns).copied();
    (0..num_columns).flat_map(column).collect()
}

/// X = a X + (b A + c A A) X with A = X X^T, iterated on M / |M|.
fn orthogonalized(direction: &[f64], num_columns: usize, coefficients: &[[f64; 3]]) -> Vec<f64> {
    let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt() + 1e-7;
    let mut x: Vec<f64> = direction.iter().map(|value| value / norm).collect();
    let num_rows = x.len() / num_columns;
    for [a, b, c] in coefficients {
        let gram = multiply_transposed(&x, &x, num_columns);
        let square = multiply_transposed(&gram, &gram, num_rows);
        let polynomial: Vec<f64> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
        let product = multiply_transposed(&polynomial, &transposed(&x, num_columns), num_rows);
        x = x.iter().zip(product).map(|(x, product)| a * x + product).collect();
    }
    x
}

/// Whether decay is cautious, and rows are evened out.
#[derive(Clone, Copy)]
struct Switches {
    is_cautious: bool,
    evens_rows: bool,
}

const PLAIN: Switches = Switches {
    is_cautious: false,
    evens_rows: false,
};

/// Takes a step with several matrices; returns values, momenta and mean squares of rows of each.
fn step(
    shapes: &[(usize, usize)],
    coefficients: &[[f64; 3]],
    precision: Precision,
    switches: Switches,
) -> Vec<Vec<f32>> {
    let muon = Muon {
        momentum: 0.9,
        gradient_scale: 0.5,
        decay: 0.03,
        is_cautious: switches.is_cautious,
        row_beta: 0.8,
        coefficients,
        precision,
    };
    everywhere(|pool| {
        let state = |i: u32, (rows, columns): &(usize, usize)| {
            let squares = numbers(*rows, 10 * i + 4).iter().map(|x| x * x).collect();
            let of_values = [1, 2, 3].map(|seed| numbers(rows * columns, 10 * i + seed));
            (of_values, squares)
        };
        let mut state: Vec<([Vec<f32>; 3], Vec<f32>)> = (0..).zip(shapes).map(|(i, shape)| state(i, shape)).collect();
        let parameters = state
            .iter_mut()
            .zip(shapes)
            .map(|(([values, gradient, mean], squares), shape)| MuonParameter {
                values,
                gradient,
                mean,
                row_squares: switches.evens_rows.then_some(squares),
                num_columns: shape.1,
                step: 0.7,
            });
        muon.step(pool, parameters.collect());
        let results = state.into_iter();
        results
            .flat_map(|([values, _, mean], squares)| [values, mean, squares])
            .collect()
    })
}

fn expected(shapes: &[(usize, usize)], coefficients: &[[f64; 3]], switches: Switches) -> Vec<Vec<f64>> {
    let mut results = Vec::new();
    for (i, (rows, columns)) in (0..).zip(shapes) {
        let [values, gradient, mean] = [1, 2, 3].map(|seed| wide(&numbers(rows * columns, 10 * i + seed)));
        let average = |mean: &[f64]| -> Vec<f64> {
            mean.iter()
                .zip(&gradient)
                .map(|(m, g)| 0.9 * m + 0.1 * 0.5 * g)
                .collect()
        };
        let mean = average(&mean);
        let mut update = orthogonalized(&average(&mean), *columns, coefficients);
        let mut squares: Vec<f64> = wide(&numbers(*rows, 10 * i + 4)).iter().map(|x| x * x).collect();
        if switches.evens_rows {
            let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let before = norm(&update);
            for (row, square) in update.chunks_mut(*columns).zip(&mut squares) {
                *square = 0.8 * *square + 0.2 * norm(row).powi(2) / *columns as f64;
                row.iter_mut().for_each(|x| *x /= square.sqrt() + 1e-8);
            }
            let restored = before / norm(&update);
            update.iter_mut().for_each(|x| *x *= restored);
        }
        let stepped = values.iter().zip(update).map(|(value, update)| {
            let decays = !switches.is_cautious || value * update >= 0.0;
            value * (1.0 - f64::from(u8::from(decays)) * 0.03) - 0.7 * update
        });
        results.extend([stepped.collect(), mean, squares]);
    }
    results
}

// Sizes around those of tiles and pieces; square, tall and wide, so that both orders of products are used.
const SHAPES: [(usize, usize); 9] = [
    (1, 1),
    (1, 7),
    (9, 2),
    (33, 33),
    (40, 27),
    (17, 50),
    (100, 48),
    (200, 205),
    (6, 400),
];

#[test]
fn steps_of_muon() {
    // Twelve iterations cannot all be taken on A alone: its errors would grow too large.
    for coefficients in [
        vec![JORDAN; 1],
        vec![JORDAN; 5],
        vec![JORDAN; 12],
        POLAR_EXPRESS.to_vec(),
    ] {
        let switches = Switches {
            is_cautious: coefficients.len() == 1,
            evens_rows: coefficients == [JORDAN; 5],
        };
        let results = step(&SHAPES, &coefficients, Precision::Float32, switches);
        for (found, expected) in results.iter().zip(expected(&SHAPES, &coefficients, switches)) {
            if coefficients == [JORDAN; 1] || coefficients == [JORDAN; 5] {
                assert_close(found, &expected);
            } else {
                // Near 1 the others have slopes of 10: they amplify what is rounded.
                assert!(found
                    .iter()
                    .zip(expected)
                    .all(|(x, y)| (f64::from(*x) - y).abs() < 5e-3));
            }
        }
    }
}

// Oracle: float64. Five iterations in bfloat16 leave a few hundredths of a singular value, as they do in the source.
#[test]
fn steps_of_muon_in_bfloat16() {
    let results = step(&SHAPES, &[JORDAN; 5], Precision::Bfloat16, PLAIN);
    for (found, expected) in results.iter().zip(expected(&SHAPES, &[JORDAN; 5], PLAIN)) {
        assert!(found
            .iter()
            .zip(expected)
            .all(|(x, y)| (f64::from(*x) - y).abs() < 0.05));
    }
}

// Derived by hand: a direction of zeros stays zeros. And a matrix of rank 1, whose products' other eigenvalues are only
// what rounding leaves, and half of them negative: all of them grow, to 1 at the most.
#[test]
fn matrices_without_full_rank() {
    let (u, v) = (numbers(300, 1), numbers(40, 2));
    let gradient: Vec<f32> = u.iter().flat_map(|u| v.iter().map(move |v| u * v)).collect();
    for scale in [0.0, 1.0] {
        for num_steps in [5, 9, 20] {
            let muon = Muon {
                momentum: 0.0,
                gradient_scale: scale,
                decay: 0.0,
                is_cautious: false,
                row_beta: 0.0,
                coefficients: &vec![JORDAN; num_steps],
                precision: Precision::Float32,
            };
            let results = everywhere(|pool| {
                let (mut values, mut mean) = (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
                muon.step(
                    pool,
                    vec![MuonParameter {
                        values: &mut values,
                        gradient: &gradient,
                        mean: &mut mean,
                        row_squares: None,
                        num_columns: 40,
                        step: -1.0,
                    }],
                );
                vec![values]
            });
            let norm = results[0].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let range = if scale == 0.0 {
                0.0..=0.0
            } else {
                0.6..=1.2 * 40f64.sqrt()
            };
            assert!(range.contains(&norm), "{num_steps} iterations: {norm}");
        }
    }
}
