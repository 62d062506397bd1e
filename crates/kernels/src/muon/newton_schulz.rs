//! Newton-Schulz iterations: a matrix becomes nearly orthogonal by products alone.
//!
//! An iteration replaces Y by Y P, where P = a I + b A + c A A and A = Y^T Y. A and P are symmetric and commute, so that
//! several iterations can be taken on A alone, which is smaller: A becomes P A P, and Y is multiplied by the product of
//! all P at the end. Of symmetric matrices, half is computed and the rest copied.

use crate::level::{Level, Work};
use crate::matmul::{multiply_rows, pack, Matrix, Precision, Product, Start, SymmetricProduct, MOST_PIECE_ROWS};
use crate::rows;
use crate::vector::Vector;

/// How much iterations on A alone may enlarge its rounding errors, some 1e-7 of its greatest eigenvalue. The error of an
/// eigenvalue that is zero can be negative, and from about -0.5 on the iterations would not bring it back.
const MOST_GROWTH: f32 = 1e6;

/// Iterations on A alone cost 4 products of its size in place of 3 by Y: fewer operations where Y has half as many rows
/// again as columns.
const LEAST_ROWS: (usize, usize) = (3, 2);

/// Rows and columns that are transposed at a time.
const BLOCK: usize = 16;

/// How products are computed.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub level: Level,
    pub precision: Precision,
}

/// Memory of a thread, kept for the next matrix.
#[derive(Default)]
pub(super) struct Memory {
    /// The matrix, of at least as many rows as columns.
    pub y: Vec<f32>,
    /// Some rows of one with fewer rows than columns.
    pub rows: Vec<f32>,
    /// As long: what an iteration writes to, and anything after the last.
    pub next: Vec<f32>,
    gram: Vec<f32>,
    square: Vec<f32>,
    polynomial: Vec<f32>,
    total: Vec<f32>,
    packed: Vec<f32>,
}

/// Iterates on `memory.y`, of norm 1 at the most, with the coefficients (a, b, c) of each iteration.
pub(super) fn iterate(how: How, coefficients: &[[f32; 3]], num_rows: usize, num_columns: usize, memory: &mut Memory) {
    let Memory {
        y,
        next,
        gram,
        square,
        polynomial,
        total,
        packed,
        ..
    } = memory;
    for matrix in [&mut *gram, &mut *square, &mut *polynomial, &mut *total] {
        matrix.resize(num_columns * num_columns, 0.0);
    }
    next.resize(y.len(), 0.0);
    let is_long = num_rows * LEAST_ROWS.1 >= num_columns * LEAST_ROWS.0;
    // bfloat16 rounds to 1e-3: too coarse to iterate on A alone.
    let most = if is_long && how.precision == Precision::Float32 {
        MOST_GROWTH
    } else {
        0.0
    };
    let mut coefficients = coefficients.iter().peekable();
    while let Some(&[mut a, mut b, mut c]) = coefficients.next() {
        let tall = Matrix::by_rows(y, num_rows, num_columns);
        multiply_symmetric(how, tall.transposed(), tall, packed, gram);
        let (mut growth, mut is_first) = (a * a, true);
        loop {
            multiply_symmetric(
                how,
                square_matrix(gram, num_columns),
                square_matrix(gram, num_columns),
                packed,
                square,
            );
            how.level.run(Polynomial {
                coefficients: [b, c],
                gram,
                square,
                polynomial,
            });
            for i in 0..num_columns {
                polynomial[i * num_columns + i] += a;
            }
            if is_first {
                std::mem::swap(total, polynomial);
            } else {
                // The square is not needed any more.
                multiply_symmetric(
                    how,
                    square_matrix(polynomial, num_columns),
                    square_matrix(total, num_columns),
                    packed,
                    square,
                );
                std::mem::swap(total, square);
            }
            let Some(next) = coefficients.next_if(|next| growth * next[0] * next[0] <= most) else {
                break;
            };
            let of_this = if is_first { &*total } else { &*polynomial };
            multiply_symmetric(
                how,
                square_matrix(of_this, num_columns),
                square_matrix(gram, num_columns),
                packed,
                square,
            );
            multiply_symmetric(
                how,
                square_matrix(of_this, num_columns),
                square_matrix(square, num_columns),
                packed,
                gram,
            );
            [a, b, c] = *next;
            growth *= a * a;
            is_first = false;
        }
        let panels = pack(how.precision, how.level, square_matrix(total, num_columns), packed);
        let piece = MOST_PIECE_ROWS * num_columns;
        for (y, next) in y.chunks(piece).zip(next.chunks_mut(piece)) {
            multiply_rows(how.level, y, num_columns, panels, next, Start::Zero);
        }
        std::mem::swap(y, next);
    }
}

fn square_matrix(elements: &[f32], size: usize) -> Matrix<'_> {
    Matrix::by_rows(elements, size, size)
}

/// Computes `c = a b`, which is symmetric.
fn multiply_symmetric(how: How, a: Matrix<'_>, b: Matrix<'_>, packed: &mut Vec<f32>, c: &mut [f32]) {
    let (size, inner) = (b.num_columns(), b.num_rows());
    let panels = pack(how.precision, how.level, b, packed);
    for (first_row, rows) in (0..size)
        .step_by(MOST_PIECE_ROWS)
        .zip(c.chunks_mut(MOST_PIECE_ROWS * size))
    {
        let product = Product {
            a: a.part(first_row..first_row + rows.len() / size, 0..inner),
            panels,
            c: rows,
            stride: size,
            num_columns: size,
            start: Start::Zero,
        };
        how.level
            .run_product(how.precision, SymmetricProduct { product, first_row });
    }
    copy_across(c, size);
}

/// Copies what is above the diagonal of a matrix below it.
fn copy_across(matrix: &mut [f32], size: usize) {
    let mut block = [[0.0; BLOCK]; BLOCK];
    for first in (0..size).step_by(BLOCK) {
        let num_rows = BLOCK.min(size - first);
        for left in (0..=first).step_by(BLOCK) {
            // Rows from `first` on, columns from `left` on, are columns and rows of what is above.
            let num_columns = BLOCK.min(size - left);
            for (column, block) in block.iter_mut().enumerate().take(num_columns) {
                block[..num_rows].copy_from_slice(&matrix[(left + column) * size + first..][..num_rows]);
            }
            for row in 0..num_rows {
                let below = &mut matrix[(first + row) * size + left..][..num_columns.min(first + row - left)];
                below
                    .iter_mut()
                    .zip(&block)
                    .for_each(|(value, block)| *value = block[row]);
            }
        }
    }
}

/// Writes some rows and columns of a matrix as columns and rows of another; both begin at their first element.
pub(super) fn transpose(
    (from, from_stride): (&[f32], usize),
    (num_rows, num_columns): (usize, usize),
    (to, to_stride): (&mut [f32], usize),
) {
    let mut block = [[0.0; BLOCK]; BLOCK];
    for row in (0..num_rows).step_by(BLOCK) {
        let many_rows = BLOCK.min(num_rows - row);
        for column in (0..num_columns).step_by(BLOCK) {
            let many_columns = BLOCK.min(num_columns - column);
            for (r, block) in block.iter_mut().enumerate().take(many_rows) {
                block[..many_columns].copy_from_slice(&from[(row + r) * from_stride + column..][..many_columns]);
            }
            for c in 0..many_columns {
                let to = &mut to[(column + c) * to_stride + row..][..many_rows];
                to.iter_mut().zip(&block).for_each(|(value, block)| *value = block[c]);
            }
        }
    }
}

/// Computes `b A + c A A`.
struct Polynomial<'a> {
    coefficients: [f32; 2],
    gram: &'a [f32],
    square: &'a [f32],
    polynomial: &'a mut [f32],
}

impl Work for Polynomial<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let [b, c] = self.coefficients.map(V::splat);
        rows::map::<V, 2, 1>([self.gram, self.square], [self.polynomial], |[gram, square]| {
            [gram.mul_add(b, square.mul(c))]
        });
    }
}
