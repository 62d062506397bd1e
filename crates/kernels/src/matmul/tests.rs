use proptest::collection::vec;
use proptest::prelude::*;

use super::pack::pack;
use super::*;

/// Numbers without a pattern, in -1..1.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32).mul_add(2.0, -1.0)
    };
    (0..len).map(|_| next()).collect()
}

fn element(matrix: Matrix<'_>, row: usize, column: usize) -> f32 {
    let (line, place) = if matrix.is_by_rows {
        (row, column)
    } else {
        (column, row)
    };
    matrix.line(line, place, 1)[0]
}

/// The definition in float32: each element is a chain of fused multiply-adds.
fn chain(row: &[f32], column: &[f32], begin: f32) -> f32 {
    row.iter().zip(column).fold(begin, |sum, (a, b)| a.mul_add(*b, sum))
}

/// The definition in bfloat16: the same of rounded numbers, the second of each pair before the first, where numbers below
/// 2**-126 are read and written as zeros.
fn chain_of_pairs(row: &[f32], column: &[f32], begin: f32) -> f32 {
    let add = |sum, (a, b): (&f32, &f32)| flush(rounded(*a).mul_add(rounded(*b), sum));
    row.chunks(2)
        .zip(column.chunks(2))
        .fold(flush(begin), |sum, (a, b)| a.iter().zip(b).rev().fold(sum, add))
}

fn flush(value: f32) -> f32 {
    if value.is_subnormal() {
        0.0f32.copysign(value)
    } else {
        value
    }
}

/// The nearest number of 8 significant bits, in a tie the one whose last bit is 0.
fn rounded(value: f32) -> f32 {
    if !flush(value).is_normal() {
        return flush(value);
    }
    let below = f32::from_bits(value.to_bits() & 0xffff_0000);
    let unit = f64::from(below.abs()).log2().floor().exp2() / 128.0;
    let above = f64::from(below) + unit.copysign(f64::from(value));
    let excess = (f64::from(value) - f64::from(below)).abs() / unit;
    let is_odd = below.to_bits() >> 16 & 1 == 1;
    if excess > 0.5 || excess == 0.5 && is_odd {
        // Beyond the greatest number: infinite, as is what float32 makes of it.
        if above.abs() >= 128f64.exp2() {
            f32::INFINITY.copysign(value)
        } else {
            above as f32
        }
    } else {
        below
    }
}

fn multiply_by_definition(precision: Precision, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], start: Start) {
    for (row, c) in c.chunks_mut(b.num_columns().max(1)).enumerate() {
        let left: Vec<f32> = (0..a.num_columns()).map(|k| element(a, row, k)).collect();
        for (column, c) in c.iter_mut().enumerate() {
            let begin = if start == Start::Zero { 0.0 } else { *c };
            let right: Vec<f32> = (0..a.num_columns()).map(|k| element(b, k, column)).collect();
            *c = match precision {
                Precision::Float32 => chain(&left, &right, begin),
                Precision::Bfloat16 if left.is_empty() => *c,
                Precision::Bfloat16 => chain_of_pairs(&left, &right, begin),
            };
        }
    }
}

fn shaped(elements: &[f32], num_rows: usize, num_columns: usize, is_by_rows: bool) -> Matrix<'_> {
    if is_by_rows {
        Matrix::by_rows(elements, num_rows, num_columns)
    } else {
        Matrix::by_rows(elements, num_columns, num_rows).transposed()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Oracle: the definition, to the bit, at every level and for any number of threads.
    #[test]
    fn products_are_chains_of_fused_multiply_adds(
        (m, k, n) in (0usize..150, 0usize..600, 0usize..70),
        layout in any::<(bool, bool)>(),
        (adds, is_bfloat16) in any::<(bool, bool)>(),
        num_threads in 1usize..4,
        seed in any::<u32>(),
    ) {
        let (left, right, before) = (numbers(m * k, seed), numbers(k * n, seed ^ 1), numbers(m * n, seed ^ 2));
        let (a, b) = (shaped(&left, m, k, layout.0), shaped(&right, k, n, layout.1));
        let start = if adds { Start::Sum } else { Start::Zero };
        let precision = if is_bfloat16 { Precision::Bfloat16 } else { Precision::Float32 };
        let mut expected = before.clone();
        multiply_by_definition(precision, a, b, &mut expected, start);
        let pool = Pool::new(num_threads);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            level.force();
            let mut found = before.clone();
            multiply(&pool, precision, a, b, &mut found, start);
            prop_assert_eq!(&found, &expected, "{:?}", level);
        }
    }

    // Oracle: the definition, to the bit, where numbers are infinite, cancel, or are too small or too large to be kept.
    #[test]
    fn pairs_of_any_bits_are_multiplied_as_defined(
        (left, right) in (vec(any_number(), 5), vec(any_number(), 5 * 40)),
        before in vec(any_number(), 40),
    ) {
        let (a, b) = (Matrix::by_rows(&left, 1, 5), Matrix::by_rows(&right, 5, 40));
        let mut expected = before.clone();
        multiply_by_definition(Precision::Bfloat16, a, b, &mut expected, Start::Sum);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            level.force();
            let mut found = before.clone();
            multiply(&Pool::new(1), Precision::Bfloat16, a, b, &mut found, Start::Sum);
            for (found, expected) in found.iter().zip(&expected) {
                let is_equal = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                prop_assert!(is_equal, "{:?}: {}, not {}", level, found, expected);
            }
        }
    }
}

/// Numbers of any bits, as many small as large ones, and some with bits that are halfway between bfloat16 numbers.
fn any_number() -> impl Strategy<Value = f32> {
    let near = (any::<bool>(), 50u32..80, any::<u32>())
        .prop_map(|(sign, exponent, bits)| u32::from(sign) << 31 | exponent << 23 | bits >> 9);
    let bits = prop_oneof![
        any::<u32>(),
        near.clone(),
        any::<u16>().prop_map(|half| u32::from(half) << 16 | 0x8000)
    ];
    bits.prop_map(f32::from_bits)
}

// Oracle: identity, the product added in one go.
#[test]
fn a_product_may_be_added_in_pieces_of_its_inner_dimension() {
    let (m, k, n) = (100, 1101, 40);
    let (left, right) = (numbers(k * m, 1), numbers(k * n, 2));
    let pool = Pool::new(2);
    let left_rows = |from: usize, to: usize| Matrix::by_rows(&left[from * m..to * m], to - from, m).transposed();
    let right_rows = |from: usize, to: usize| Matrix::by_rows(&right[from * n..to * n], to - from, n);
    for (precision, cuts) in [
        (Precision::Float32, [0, 1, 300, 699, 1101]),
        (Precision::Bfloat16, [0, 2, 300, 900, 1101]),
    ] {
        let (mut whole, mut pieces) = (vec![0.5; m * n], vec![0.5; m * n]);
        let (a, b) = (left_rows(0, k), right_rows(0, k));
        multiply(&pool, precision, a, b, &mut whole, Start::Sum);
        for cut in cuts.windows(2) {
            let (a, b) = (left_rows(cut[0], cut[1]), right_rows(cut[0], cut[1]));
            multiply(&pool, precision, a, b, &mut pieces, Start::Sum);
        }
        assert_eq!(whole, pieces, "{precision:?}");
    }
}

// Oracle: the definition. The right matrix does not fit the memory that it is packed into at a time.
#[test]
fn a_long_product_is_passed_over_again() {
    let (m, k, n) = (3, 6001, 200);
    let (left, right) = (numbers(m * k, 1), numbers(k * n, 2));
    for precision in [Precision::Float32, Precision::Bfloat16] {
        for is_by_rows in [false, true] {
            let (a, b) = (Matrix::by_rows(&left, m, k), shaped(&right, k, n, is_by_rows));
            let (mut found, mut expected) = (vec![0.5; m * n], vec![0.5; m * n]);
            multiply(&Pool::new(2), precision, a, b, &mut found, Start::Sum);
            multiply_by_definition(precision, a, b, &mut expected, Start::Sum);
            assert_eq!(found, expected, "{precision:?}");
        }
    }
}

// Oracle: the definition. What was packed has more rows than the left matrix has columns.
#[test]
fn one_thread_multiplies_what_was_packed() {
    let (m, k, n) = (20, 37, 45);
    let (left, right) = (numbers(m * k, 1), numbers((k + 9) * n, 2));
    let (a, b) = (Matrix::by_rows(&left, m, k), Matrix::by_rows(&right, k + 9, n));
    for precision in [Precision::Float32, Precision::Bfloat16] {
        let mut expected = vec![0.0; m * n];
        multiply_by_definition(precision, a, b.part(0..k, 0..n), &mut expected, Start::Zero);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            let (mut c, mut packed) = (vec![0.0; m * n], Vec::new());
            let panels = pack(precision, level, b, &mut packed);
            let (stride, num_columns, start) = (n, n, Start::Zero);
            let product = Product {
                a,
                panels,
                c: &mut c,
                stride,
                num_columns,
                start,
            };
            level.run_product(precision, product);
            assert_eq!(c, expected, "{precision:?}, {level:?}");
        }
    }
}
