//! Matrices as they lie in memory.

use std::ops::Range;

/// A matrix as it lies in memory, by rows or by columns.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    lines: &'a [f32],
    pub(super) num_lines: usize,
    line_len: usize,
    stride: usize,
    pub(super) is_by_rows: bool,
}

impl<'a> Matrix<'a> {
    /// Creates a matrix whose rows follow each other in `elements`.
    ///
    /// # Panics
    /// If `elements` are not rows of `num_columns`.
    pub fn by_rows(elements: &'a [f32], num_rows: usize, num_columns: usize) -> Self {
        assert_eq!(
            elements.len(),
            num_rows * num_columns,
            "{num_rows} rows of {num_columns}"
        );
        Self::strided(elements, num_rows, num_columns, num_columns)
    }

    /// Creates a matrix whose rows begin every `stride` elements.
    ///
    /// # Panics
    /// If `elements` end before the last row does.
    pub fn strided(elements: &'a [f32], num_rows: usize, num_columns: usize, stride: usize) -> Self {
        assert!(num_columns <= stride || num_rows <= 1, "rows overlap");
        assert!(
            num_rows == 0 || (num_rows - 1) * stride + num_columns <= elements.len(),
            "rows end too late"
        );
        Self {
            lines: elements,
            num_lines: num_rows,
            line_len: num_columns,
            stride,
            is_by_rows: true,
        }
    }

    /// Returns the transposed matrix; no element moves.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            is_by_rows: !self.is_by_rows,
            ..self
        }
    }

    /// Returns the number of rows.
    pub fn num_rows(&self) -> usize {
        if self.is_by_rows {
            self.num_lines
        } else {
            self.line_len
        }
    }

    /// Returns the number of columns.
    pub fn num_columns(&self) -> usize {
        if self.is_by_rows {
            self.line_len
        } else {
            self.num_lines
        }
    }

    /// Returns some rows and columns of the matrix; no element moves.
    #[must_use]
    #[inline(always)]
    pub(crate) fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let (lines, places) = if self.is_by_rows {
            (rows, columns)
        } else {
            (columns, rows)
        };
        assert!(
            lines.end <= self.num_lines && places.end <= self.line_len,
            "a part of a matrix"
        );
        Self {
            lines: &self.lines[(lines.start * self.stride + places.start).min(self.lines.len())..],
            num_lines: lines.len(),
            line_len: places.len(),
            ..self
        }
    }

    /// Returns a row of a matrix by rows.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        assert!(self.is_by_rows, "a row of a matrix by rows");
        self.line(row, 0, self.line_len)
    }

    /// Elements `from..from + len` of a line.
    #[inline(always)]
    pub(super) fn line(&self, line: usize, from: usize, len: usize) -> &'a [f32] {
        &self.lines[line * self.stride + from..][..len]
    }

    /// Elements from the beginning of a line on: it, and what follows it.
    #[inline(always)]
    pub(super) fn lines_from(&self, line: usize) -> &'a [f32] {
        &self.lines[line * self.stride..]
    }
}
