//! A block: the same bits however its work is divided, and the gradients of its own outputs.

mod common;

use common::numbers;
use homespun_kernels::block::{block, block_backward, Gradients, Sizes, Weights};
use homespun_kernels::level::Level;
use homespun_kernels::matmul::Precision;
use homespun_kernels::pool::Pool;
use homespun_kernels::rope::Angles;

const SIZES: Sizes = Sizes {
    num_sequences: 3,
    num_positions: 50,
    num_heads: 2,
    d_model: 24,
    d_ff: 40,
};

/// The parameters, in the order of `Weights`.
fn parameters() -> Vec<Vec<f32>> {
    let (d, f) = (SIZES.d_model, SIZES.d_ff);
    let lengths = [d, d * d, d * d, d * d, d * d, d, f * d, f * d, d * f];
    let scaled = |(seed, len)| numbers(len, seed).iter().map(|x| 0.4 * x).collect();
    (0..).zip(lengths).map(scaled).collect()
}

fn weights<'a>(parameters: &'a [Vec<f32>], precision: Precision, angles: &'a [Vec<f32>; 2]) -> Weights<'a> {
    let [ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2] = parameters else {
        panic!("nine parameters");
    };
    let [cos, sin] = angles;
    Weights {
        ln1,
        q_proj,
        k_proj,
        v_proj,
        output_proj,
        ln2,
        w1,
        w3,
        w2,
        eps: 1e-5,
        precision,
        angles: Some(Angles {
            cos,
            sin,
            num_positions: SIZES.num_positions,
        }),
    }
}

/// Computes a block and its gradients, `num_sequences` at a time: the output, that of the input, those of the parameters.
fn run(pool: &Pool, precision: Precision, parameters: &[Vec<f32>], x: &[f32], num_sequences: usize) -> Vec<Vec<f32>> {
    let angles = numbers(SIZES.num_positions * SIZES.d_model / SIZES.num_heads / 2, 90);
    let angles = [
        angles.iter().map(|x| (9.0 * x).cos()).collect(),
        angles.iter().map(|x| (9.0 * x).sin()).collect(),
    ];
    let weights = weights(parameters, precision, &angles);
    let mut gradients: Vec<Vec<f32>> = parameters.iter().map(|values| vec![0.0; values.len()]).collect();
    let (dy, mut outputs, mut inputs) = (numbers(x.len(), 91), Vec::new(), Vec::new());
    let len = num_sequences * SIZES.num_positions * SIZES.d_model;
    for (x, dy) in x.chunks(len).zip(dy.chunks(len)) {
        let num_sequences = x.len() / (SIZES.num_positions * SIZES.d_model);
        let sizes = Sizes { num_sequences, ..SIZES };
        let (mut saved, mut y, mut dx) = (
            vec![f32::NAN; sizes.saved_len()],
            vec![0.0; x.len()],
            vec![0.0; x.len()],
        );
        block(pool, sizes, weights, x, &mut saved, &mut y);
        let [ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2] = &mut gradients[..] else {
            panic!("nine parameters");
        };
        let gradients = Gradients {
            ln1,
            q_proj,
            k_proj,
            v_proj,
            output_proj,
            ln2,
            w1,
            w3,
            w2,
        };
        block_backward(pool, sizes, weights, x, &saved, dy, gradients, &mut dx);
        outputs.extend(y);
        inputs.extend(dx);
    }
    [vec![outputs, inputs], gradients].concat()
}

// Oracle: identity, one thread with the whole at the lowest level. 50 positions are even: bfloat16 sums pairs.
#[test]
fn neither_threads_nor_levels_nor_the_division_into_calls_change_a_bit() {
    let (parameters, x) = (
        parameters(),
        numbers(SIZES.num_sequences * SIZES.num_positions * SIZES.d_model, 92),
    );
    for precision in [Precision::Float32, Precision::Bfloat16] {
        let mut expected: Option<Vec<Vec<f32>>> = None;
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            level.force();
            for num_threads in 1..4 {
                for num_sequences in 1..4 {
                    let found = run(&Pool::new(num_threads), precision, &parameters, &x, num_sequences);
                    assert!(
                        *expected.get_or_insert_with(|| found.clone()) == found,
                        "{precision:?}, {level:?}, {num_threads} threads, {num_sequences} sequences at a time"
                    );
                }
            }
        }
    }
}

// Oracle: finite differences of <dy, y>, along a random direction of each parameter and of the input.
#[test]
fn gradients_are_slopes() {
    let (parameters, x) = (
        parameters(),
        numbers(SIZES.num_sequences * SIZES.num_positions * SIZES.d_model, 93),
    );
    let pool = Pool::new(1);
    let found = run(&pool, Precision::Float32, &parameters, &x, 3);
    let dy = numbers(x.len(), 91);
    let value = |parameters: &[Vec<f32>], x: &[f32]| -> f64 {
        let y = &run(&pool, Precision::Float32, parameters, x, 3)[0];
        y.iter().zip(&dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
    };
    let step = 1e-3f32;
    for number in 0..=parameters.len() {
        let gradient = &found[1 + number];
        let direction = numbers(gradient.len(), 94);
        let moved = |sign: f32| {
            let (mut parameters, mut x) = (parameters.clone(), x.clone());
            let values = if number == 0 {
                &mut x
            } else {
                &mut parameters[number - 1]
            };
            values
                .iter_mut()
                .zip(&direction)
                .for_each(|(value, slope)| *value += sign * step * slope);
            value(&parameters, &x)
        };
        let slope = (moved(1.0) - moved(-1.0)) / f64::from(2.0 * step);
        let products = gradient.iter().zip(&direction);
        let expected: f64 = products.map(|(g, slope)| f64::from(*g) * f64::from(*slope)).sum();
        // What rounding of the outputs and curvature leave, of sums of hundreds of terms of about 1.
        assert!(
            (slope - expected).abs() < 2e-2 * expected.abs().max(10.0),
            "{number}: {slope}, not {expected}"
        );
    }
}
