//! A block: the same bits however its work is divided, and the gradients of its own outputs.

mod common;

use common::numbers;
use homespun_kernels::block::{block, block_backward, Activation, Gradients, Sizes, ValueGradients, Values, Weights};
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
    is_gated: true,
    norms_heads: false,
    value_channels: 0,
};

/// A kind of block: a gate, or what the inner channels go through; whether heads are normalized;
/// and whether embeddings are added to values.
#[derive(Clone, Copy, Debug)]
struct Kind {
    activation: Option<Activation>,
    norms_heads: bool,
    has_values: bool,
}

const KINDS: [Kind; 5] = [
    Kind {
        activation: None,
        norms_heads: false,
        has_values: false,
    },
    Kind {
        activation: None,
        norms_heads: true,
        has_values: false,
    },
    Kind {
        activation: Some(Activation::Silu),
        norms_heads: false,
        has_values: false,
    },
    Kind {
        activation: Some(Activation::ReluSquared),
        norms_heads: true,
        has_values: false,
    },
    Kind {
        activation: None,
        norms_heads: true,
        has_values: true,
    },
];

/// Channels that the gate of embeddings sees.
const VALUE_CHANNELS: usize = 5;

/// The parameters, in the order of `Weights`, and embeddings added to values.
fn parameters() -> Vec<Vec<f32>> {
    let (d, f) = (SIZES.d_model, SIZES.d_ff);
    let head = d / SIZES.num_heads;
    let rows = SIZES.num_sequences * SIZES.num_positions;
    let gate = SIZES.num_heads * VALUE_CHANNELS;
    let lengths = [
        d,
        d * d,
        d * d,
        d * d,
        d * d,
        head,
        head,
        d,
        f * d,
        f * d,
        d * f,
        gate,
        rows * d,
    ];
    let scaled = |(seed, len)| numbers(len, seed).iter().map(|x| 0.4 * x).collect();
    (0..).zip(lengths).map(scaled).collect()
}

fn weights<'a>(kind: Kind, parameters: &'a [Vec<f32>], precision: Precision, angles: &'a [Vec<f32>; 2]) -> Weights<'a> {
    let [ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, gate, embedding] = parameters
    else {
        panic!("thirteen parameters");
    };
    let [cos, sin] = angles;
    Weights {
        ln1,
        q_proj,
        k_proj,
        v_proj,
        output_proj,
        head_norms: kind.norms_heads.then_some([q_norm, k_norm]),
        ln2,
        w1,
        w3: kind.activation.is_none().then_some(w3),
        w2,
        values: kind.has_values.then_some(Values { gate, embedding }),
        activation: kind.activation.unwrap_or(Activation::Silu),
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
fn run(
    kind: Kind,
    pool: &Pool,
    precision: Precision,
    parameters: &[Vec<f32>],
    x: &[f32],
    num_sequences: usize,
) -> Vec<Vec<f32>> {
    let angles = numbers(SIZES.num_positions * SIZES.d_model / SIZES.num_heads / 2, 90);
    let angles = [
        angles.iter().map(|x| (9.0 * x).cos()).collect(),
        angles.iter().map(|x| (9.0 * x).sin()).collect(),
    ];
    let weights = weights(kind, parameters, precision, &angles);
    let whole = Sizes {
        is_gated: kind.activation.is_none(),
        norms_heads: kind.norms_heads,
        value_channels: if kind.has_values { VALUE_CHANNELS } else { 0 },
        ..SIZES
    };
    let mut gradients: Vec<Vec<f32>> = parameters.iter().map(|values| vec![0.0; values.len()]).collect();
    let (dy, mut outputs, mut inputs) = (numbers(x.len(), 91), Vec::new(), Vec::new());
    let len = num_sequences * SIZES.num_positions * SIZES.d_model;
    for (number, (x, dy)) in x.chunks(len).zip(dy.chunks(len)).enumerate() {
        let part = number * len..number * len + x.len();
        let values = weights.values.map(|values| Values {
            embedding: &values.embedding[part.clone()],
            ..values
        });
        let weights = Weights { values, ..weights };
        let num_sequences = x.len() / (SIZES.num_positions * SIZES.d_model);
        let sizes = Sizes { num_sequences, ..whole };
        let (mut saved, mut y, mut dx) = (
            vec![f32::NAN; sizes.saved_len()],
            vec![0.0; x.len()],
            vec![0.0; x.len()],
        );
        block(pool, sizes, weights, x, &mut saved, &mut y);
        let [ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, gate, embedding] =
            &mut gradients[..]
        else {
            panic!("thirteen parameters");
        };
        let gradients = Gradients {
            ln1,
            q_proj,
            k_proj,
            v_proj,
            output_proj,
            head_norms: kind.norms_heads.then_some([q_norm, k_norm]),
            ln2,
            w1,
            w3: kind.activation.is_none().then_some(w3),
            w2,
            values: kind.has_values.then_some(ValueGradients {
                gate,
                embedding: &mut embedding[part],
            }),
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
    let precisions = [Precision::Float32, Precision::Bfloat16];
    for (kind, precision) in KINDS
        .into_iter()
        .flat_map(|kind| precisions.map(|precision| (kind, precision)))
    {
        let mut expected: Option<Vec<Vec<f32>>> = None;
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            level.force();
            for num_threads in 1..4 {
                for num_sequences in 1..4 {
                    let found = run(kind, &Pool::new(num_threads), precision, &parameters, &x, num_sequences);
                    assert!(
                        *expected.get_or_insert_with(|| found.clone()) == found,
                        "{kind:?}, {precision:?}, {level:?}, {num_threads} threads, {num_sequences} sequences at a time"
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
    for kind in KINDS {
        let found = run(kind, &pool, Precision::Float32, &parameters, &x, 3);
        let dy = numbers(x.len(), 91);
        let value = |parameters: &[Vec<f32>], x: &[f32]| -> f64 {
            let y = &run(kind, &pool, Precision::Float32, parameters, x, 3)[0];
            y.iter().zip(&dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
        };
        let step = 1e-3f32;
        for number in 0..=parameters.len() {
            let gradient = &found[1 + number];
            // Of what this kind does not have.
            let is_unused = match number {
                6 | 7 => !kind.norms_heads,
                10 => kind.activation.is_some(),
                12 | 13 => !kind.has_values,
                _ => false,
            };
            assert_eq!(gradient.iter().all(|g| *g == 0.0), is_unused, "{kind:?}, {number}");
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
                "{kind:?}, {number}: {slope}, not {expected}"
            );
        }
    }
}
