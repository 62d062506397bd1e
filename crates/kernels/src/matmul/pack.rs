//! Packing: the words of a matrix, in the order in which the innermost loop reads them.

use super::matrix::Matrix;
use super::{Precision, INNER_BLOCK};
use crate::arithmetic::Arithmetic;
use crate::level::{Level, ProductWork};
use crate::pool::Pool;
use crate::vector::{prefetch, Vector, MAX_LEN};

/// Rows of the right matrix, as words, that one thread packs at a time where it lies by rows.
const PACKED_ROWS: usize = 64;

/// How many rows of words ahead of the one that is packed are fetched, where each reads a line or two that lie apart in
/// memory. 12 help as much as 4 (docs/LOG.md, 2026-11-27).
const AHEAD: usize = 4;

/// A packed right matrix: panel after panel, each of `len` rows of words as wide as a tile.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(super) words: &'a [f32],
    pub(super) len: usize,
    /// Rows of words that a product leaves out.
    pub(super) from: usize,
    pub(crate) precision: Precision,
}

impl Panels<'_> {
    /// Returns the matrix without its first rows, of an even number.
    pub(crate) fn rows_from(self, row: usize) -> Self {
        let from = self.from + row / self.precision.steps();
        Self { from, ..self }
    }
}

/// The columns of a tile at a level.
pub(super) struct PanelWidth;

impl ProductWork for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> usize {
        2 * A::V::LEN
    }
}

/// Packs a matrix for [`super::Product`] with a precision, on this thread.
pub(crate) fn pack<'a>(precision: Precision, level: Level, b: Matrix<'_>, packed: &'a mut Vec<f32>) -> Panels<'a> {
    let (width, num_columns) = (level.run_product(precision, PanelWidth), b.num_columns());
    let len = b.num_rows().div_ceil(precision.steps());
    let size = len * num_columns.next_multiple_of(width);
    if packed.len() < size {
        packed.resize(size, 0.0);
    }
    let panels = packed[..size].chunks_mut((len * width).max(1)).collect();
    level.run_product(precision, Pack { columns: b, panels });
    Panels {
        words: &packed[..size],
        len,
        from: 0,
        precision,
    }
}

/// Returns how many columns are packed where there are `num_columns`.
pub(crate) fn padded_columns(level: Level, num_columns: usize) -> usize {
    num_columns.next_multiple_of(level.run_product(Precision::Float32, PanelWidth))
}

/// Returns the words that a matrix takes when it is packed.
pub(crate) fn packed_len(precision: Precision, level: Level, b: Matrix<'_>) -> usize {
    b.num_rows().div_ceil(precision.steps()) * padded_columns(level, b.num_columns())
}

/// Packs some matrices, one after another, into memory for all of them, on all threads.
pub(crate) fn pack_shared<'a, const N: usize>(
    pool: &Pool,
    precision: Precision,
    level: Level,
    matrices: [Matrix<'_>; N],
    memory: &'a mut [f32],
) -> [Panels<'a>; N] {
    let (mut works, mut rest) = (Vec::new(), &mut *memory);
    for b in matrices {
        let packed = rest.split_off_mut(..packed_len(precision, level, b));
        works.extend(pieces(precision, level, b, packed.expect("memory for all")));
    }
    pool.for_each(works, |work| level.run_product(precision, work));
    let mut rest = &*memory;
    matrices.map(|b| Panels {
        words: rest
            .split_off(..packed_len(precision, level, b))
            .expect("memory for all"),
        len: b.num_rows().div_ceil(precision.steps()),
        from: 0,
        precision,
    })
}

/// Divides the packing of a matrix.
fn pieces<'a>(precision: Precision, level: Level, b: Matrix<'a>, packed: &'a mut [f32]) -> Vec<Pack<'a>> {
    let (width, num_columns) = (level.run_product(precision, PanelWidth), b.num_columns());
    let (steps, len) = (precision.steps(), b.num_rows().div_ceil(precision.steps()));
    let panels = packed.chunks_mut((len * width).max(1));
    if !b.is_by_rows {
        let pieces = (0..num_columns).step_by(width).zip(panels).map(|(first, panel)| Pack {
            columns: b.part(0..b.num_rows(), first..(first + width).min(num_columns)),
            panels: vec![panel],
        });
        return pieces.collect();
    }
    // Rows of all panels at a time: memory is read in its order.
    let rows = (0..b.num_rows()).step_by(PACKED_ROWS * steps);
    let pieces = rows.map(|first| Pack {
        columns: b.part(first..(first + PACKED_ROWS * steps).min(b.num_rows()), 0..num_columns),
        panels: Vec::new(),
    });
    let mut pieces: Vec<_> = pieces.collect();
    for panel in panels {
        for (piece, rows) in pieces.iter_mut().zip(panel.chunks_mut(PACKED_ROWS * width)) {
            piece.panels.push(rows);
        }
    }
    pieces
}

/// Packs columns, those of each tile into a panel, so that the words of each row follow each other; columns that the last
/// panel lacks are zeros.
pub(super) struct Pack<'a> {
    pub columns: Matrix<'a>,
    pub panels: Vec<&'a mut [f32]>,
}

impl ProductWork for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { columns, mut panels } = self;
        let (width, len, num_columns) = (2 * A::V::LEN, columns.num_rows(), columns.num_columns());
        if columns.is_by_rows {
            for k in 0..len.div_ceil(A::STEPS) {
                let lines = lines::<A>(k, len, num_columns, |line| columns.line(line, 0, num_columns));
                for (first_column, words) in (0..num_columns).step_by(width).zip(&mut panels) {
                    let words = &mut words[k * width..][..width];
                    let is_whole = num_columns - first_column >= width && !lines[1].is_empty();
                    join::<A>(lines, first_column, is_whole).store(words);
                    join::<A>(lines, first_column + A::V::LEN, is_whole).store(&mut words[A::V::LEN..]);
                }
            }
            return;
        }
        let mut words = [0.0; INNER_BLOCK];
        let block = INNER_BLOCK * A::STEPS;
        for (first_column, panel) in (0..num_columns).step_by(width).zip(panels) {
            if num_columns - first_column < width {
                panel.fill(0.0);
            }
            for (from, packed) in (0..len).step_by(block).zip(panel.chunks_mut(width * INNER_BLOCK)) {
                for column in 0..width.min(num_columns - first_column) {
                    let line = columns.line(first_column + column, from, block.min(len - from));
                    pack_line::<A>(line, &mut words);
                    for (row, word) in packed.chunks_exact_mut(width).zip(&words) {
                        row[column] = *word;
                    }
                }
            }
        }
    }
}

/// Packs rows of `a`, which lies by rows, one after the other, from an inner index on.
#[inline(always)]
pub(super) fn pack_lines<A: Arithmetic>(a: Matrix<'_>, from: usize, len: usize, packed: &mut [[f32; INNER_BLOCK]]) {
    for (row, words) in packed.iter_mut().enumerate().take(a.num_rows()) {
        pack_line::<A>(a.line(row, from, len), words);
    }
}

/// Packs numbers that follow each other along the inner dimension, at most those of a block.
#[inline(always)]
fn pack_line<A: Arithmetic>(line: &[f32], words: &mut [f32; INNER_BLOCK]) {
    let mut numbers = line.chunks_exact(A::V::LEN * A::STEPS);
    let mut words = words.chunks_exact_mut(A::V::LEN);
    for (numbers, words) in numbers.by_ref().zip(words.by_ref()) {
        A::gather(numbers).store(words);
    }
    let rest = numbers.remainder();
    if let (false, Some(words)) = (rest.is_empty(), words.next()) {
        let mut padded = [0.0; 2 * MAX_LEN];
        padded[..rest.len()].copy_from_slice(rest);
        A::gather(&padded).store(words);
    }
}

/// Packs rows of `a`, which lies by columns, from an inner index on, so that the words of a tile's rows at an inner index
/// follow each other. The next tile's begin [`tile_words`] later.
#[inline(always)]
pub(super) fn pack_rows<A: Arithmetic>(a: Matrix<'_>, from: usize, len: usize, packed: &mut [f32]) {
    let rows = A::V::TILE_ROWS;
    for k in 0..len.div_ceil(A::STEPS) {
        let lines = lines::<A>(k, len, a.num_rows(), |line| a.lines_from(from + line));
        let is_whole = lines.iter().all(|line| line.len() >= a.num_rows() + MAX_LEN);
        let tiles = packed.chunks_exact_mut(tile_words::<A>());
        for (row, packed) in (0..a.num_rows()).step_by(rows).zip(tiles) {
            // A register is longer than a tile has rows: its last words are overwritten by the next ones.
            join::<A>(lines, row, is_whole).store(&mut packed[k * rows..]);
        }
    }
}

/// The words of a packed tile's rows, and some more, which the last register overwrites.
pub(super) const fn tile_words<A: Arithmetic>() -> usize {
    A::V::TILE_ROWS * INNER_BLOCK + MAX_LEN
}

/// The lines, of `num_lines`, that row `k` of words joins; the second is empty where it is lacking, and the first again
/// where words hold one number. Fetches the beginnings of later ones.
#[inline(always)]
fn lines<'a, A: Arithmetic>(
    k: usize,
    num_lines: usize,
    num_columns: usize,
    line: impl Fn(usize) -> &'a [f32],
) -> [&'a [f32]; 2] {
    for later in (k + AHEAD) * A::STEPS..num_lines.min((k + AHEAD + 1) * A::STEPS) {
        prefetch(&line(later)[..num_columns]);
    }
    let first = k * A::STEPS;
    match A::STEPS {
        1 => [line(first); 2],
        _ if first + 1 < num_lines => [line(first), line(first + 1)],
        _ => [line(first), &[]],
    }
}

/// A register of words of two lines, from a place on; zeros where they are too short, which they are not if they are whole.
#[inline(always)]
fn join<A: Arithmetic>([first, second]: [&[f32]; 2], place: usize, is_whole: bool) -> A::V {
    if is_whole {
        return A::join(A::V::load(&first[place..]), A::V::load(&second[place..]));
    }
    let load = |line: &[f32]| A::V::load_some(&line[place.min(line.len())..]);
    A::join(load(first), load(second))
}
