//! How fast products are: those of a training step, per shape, precision and level, as a share of what the same
//! instructions do in registers.
//!
//!     cargo run --release --example products -p homespun-kernels -- [NAME...] [--threads N] [--seconds S]
//!
//! Each NAME leaves the lines that have it as a word (base, demo, layer, head, float32, bfloat16, avx2, avx512,
//! avx512bf16). The fastest of many calls counts: what else runs on the machine slows the others.

use std::env;
use std::time::{Duration, Instant};

use homespun_kernels::level::Level;
use homespun_kernels::matmul::{multiply, Matrix, Precision, Start};
use homespun_kernels::peak;
use homespun_kernels::pool::Pool;

/// Tokens, inputs and outputs of a layer `y = x W^T`; and of a head, whose logits are `W hidden^T`.
const LAYERS: [(&str, [usize; 3]); 7] = [
    ("base", [4096, 512, 512]),
    ("base", [4096, 512, 1344]),
    ("base", [4096, 1344, 512]),
    ("demo", [2048, 128, 128]),
    ("demo", [2048, 128, 352]),
    ("demo", [2048, 352, 128]),
    ("demo", [2048, 128, 2048]),
];
const HEADS: [(&str, [usize; 3]); 2] = [("base", [256, 512, 10_000]), ("demo", [256, 128, 2048])];

fn main() {
    let mut arguments = env::args().skip(1);
    let (mut names, mut num_threads, mut seconds) = (Vec::new(), 1, 0.2);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value after --threads and --seconds");
        match argument.as_str() {
            "--threads" => num_threads = value().parse().expect("a number of threads"),
            "--seconds" => seconds = value().parse().expect("a number of seconds"),
            _ => names.push(argument.to_lowercase()),
        }
    }
    let pool = Pool::new(num_threads);
    let budget = Duration::from_secs_f64(seconds);
    println!("GFLOP/s and their share of the peak in registers; {num_threads} threads\n");
    let columns = ["tokens, in, out", "y = x W^T", "dx = dy W", "dW += dy^T x"];
    println!(
        "{:<44} {:>14} {:>14} {:>14}",
        columns[0], columns[1], columns[2], columns[3]
    );
    for (precision, level) in variants() {
        let label = format!("{precision:?} {level:?}").to_lowercase();
        let name = |model, kind| format!("{model} {kind} {label}");
        let is_named = |name: &str| names.iter().all(|part| name.split(' ').any(|word| word == part));
        let layers = LAYERS.map(|(model, shape)| (name(model, "layer"), shape, false));
        let heads = HEADS.map(|(model, shape)| (name(model, "head"), shape, true));
        let shapes = layers.into_iter().chain(heads);
        let shapes: Vec<_> = shapes.filter(|(name, ..)| is_named(name)).collect();
        if shapes.is_empty() {
            continue;
        }
        level.force();
        let peak = match (precision, level) {
            (Precision::Bfloat16, Level::Avx512Bf16) => peak::bfloat16_dot_flops(&pool).expect("the level has them"),
            _ => peak::multiply_add_flops(&pool, level),
        };
        println!("{label} in registers {:.1}", peak / 1e9);
        for (name, shape, is_head) in shapes {
            let [tokens, inputs, outputs] = shape;
            print!("{:<44}", format!("{name} {tokens}, {inputs}, {outputs}"));
            for rate in measure(&pool, precision, shape, is_head, budget) {
                print!(" {:>7.1} {:>4.0} %", rate / 1e9, 100.0 * rate / peak);
            }
            println!();
        }
    }
}

/// What there is to measure: not the level without wide instructions, which takes a hundred times as long, and float32
/// once where two levels have the same instructions for it.
fn variants() -> impl Iterator<Item = (Precision, Level)> {
    let float32 = [Level::Avx2, Level::Avx512].map(|level| (Precision::Float32, level));
    let bfloat16 = [Level::Avx2, Level::Avx512, Level::Avx512Bf16].map(|level| (Precision::Bfloat16, level));
    float32
        .into_iter()
        .chain(bfloat16)
        .filter(|(_, level)| level.is_supported())
}

/// The FLOP/s of a layer's or head's three products.
fn measure(pool: &Pool, precision: Precision, shape: [usize; 3], is_head: bool, budget: Duration) -> [f64; 3] {
    let [tokens, inputs, outputs] = shape;
    let [x, weight, dy] =
        [[tokens, inputs], [outputs, inputs], [tokens, outputs]].map(|[rows, columns]| numbers(rows * columns));
    let [mut y, mut dx, mut dweight] =
        [[tokens, outputs], [tokens, inputs], [outputs, inputs]].map(|[rows, columns]| vec![0.0; rows * columns]);
    let x = Matrix::by_rows(&x, tokens, inputs);
    let weight = Matrix::by_rows(&weight, outputs, inputs);
    let rate = |product: &mut dyn FnMut()| {
        let (began, mut best) = (Instant::now(), f64::INFINITY);
        while began.elapsed() < budget || best.is_infinite() {
            let call = Instant::now();
            product();
            best = best.min(call.elapsed().as_secs_f64());
        }
        2.0 * (tokens * inputs * outputs) as f64 / best
    };
    let (logits, dy) = if is_head {
        (
            (weight, x.transposed()),
            Matrix::by_rows(&dy, outputs, tokens).transposed(),
        )
    } else {
        ((x, weight.transposed()), Matrix::by_rows(&dy, tokens, outputs))
    };
    [
        rate(&mut || multiply(pool, precision, logits.0, logits.1, &mut y, Start::Zero)),
        rate(&mut || multiply(pool, precision, dy, weight, &mut dx, Start::Zero)),
        rate(&mut || multiply(pool, precision, dy.transposed(), x, &mut dweight, Start::Sum)),
    ]
}

/// Numbers without a pattern, in -1..1.
fn numbers(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32).mul_add(2.0, -1.0)
    };
    (0..len).map(|_| next()).collect()
}
