use proptest::prelude::*;

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

/// The definition: each element is a chain of fused multiply-adds.
fn multiply_by_definition(a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], start: Start) {
    for (row, c) in c.chunks_mut(b.num_columns().max(1)).enumerate() {
        for (column, c) in c.iter_mut().enumerate() {
            let begin = if start == Start::Zero { 0.0 } else { *c };
            *c = (0..a.num_columns()).fold(begin, |sum, k| element(a, row, k).mul_add(element(b, k, column), sum));
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
        adds in any::<bool>(),
        num_threads in 1usize..4,
        seed in any::<u32>(),
    ) {
        let (left, right, before) = (numbers(m * k, seed), numbers(k * n, seed ^ 1), numbers(m * n, seed ^ 2));
        let (a, b) = (shaped(&left, m, k, layout.0), shaped(&right, k, n, layout.1));
        let start = if adds { Start::Sum } else { Start::Zero };
        let mut expected = before.clone();
        multiply_by_definition(a, b, &mut expected, start);
        let pool = Pool::new(num_threads);
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            level.force();
            let mut found = before.clone();
            multiply(&pool, a, b, &mut found, start);
            prop_assert_eq!(&found, &expected, "{:?}", level);
        }
    }
}

// Oracle: identity, the product added in one go.
#[test]
fn a_product_may_be_added_in_pieces_of_its_inner_dimension() {
    let (m, k, n) = (100, 700, 40);
    let (left, right) = (numbers(k * m, 1), numbers(k * n, 2));
    let pool = Pool::new(2);
    let (mut whole, mut pieces) = (vec![0.5; m * n], vec![0.5; m * n]);
    let left_rows = |from: usize, to: usize| Matrix::by_rows(&left[from * m..to * m], to - from, m).transposed();
    let right_rows = |from: usize, to: usize| Matrix::by_rows(&right[from * n..to * n], to - from, n);
    multiply(&pool, left_rows(0, k), right_rows(0, k), &mut whole, Start::Sum);
    for (from, to) in [(0, 1), (1, 300), (300, 699), (699, 700)] {
        multiply(
            &pool,
            left_rows(from, to),
            right_rows(from, to),
            &mut pieces,
            Start::Sum,
        );
    }
    assert_eq!(whole, pieces);
}
