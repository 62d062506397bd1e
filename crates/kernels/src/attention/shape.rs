//! The sizes of an attention, and the memory of a thread that computes it.

use std::cell::Cell;

use crate::matmul::Matrix;

/// The sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Sequences.
    pub num_sequences: usize,
    /// Positions of a sequence that ask.
    pub num_queries: usize,
    /// Positions of a sequence that are seen; at least `num_queries`.
    pub num_keys: usize,
    /// Heads.
    pub num_heads: usize,
    /// Channels of a head.
    pub head_width: usize,
}

impl Shape {
    pub(super) fn row(&self) -> usize {
        self.num_heads * self.head_width
    }

    /// Returns the queries or outputs of a head, of one sequence, from some position on.
    pub(super) fn head<'a>(&self, elements: &'a [f32], head: usize) -> Matrix<'a> {
        let elements = &elements[head * self.head_width..];
        let num_rows = (elements.len() + head * self.head_width) / self.row();
        Matrix::strided(elements, num_rows, self.head_width, self.row())
    }

    pub(super) fn check(&self, queries: &[&[f32]], keys: &[&[f32]], num_logsumexp: usize) {
        assert!(self.num_queries <= self.num_keys, "more queries than keys");
        for (each, positions) in [(queries, self.num_queries), (keys, self.num_keys)] {
            for elements in each {
                assert_eq!(
                    elements.len(),
                    self.num_sequences * positions * self.row(),
                    "elements of an attention"
                );
            }
        }
        assert_eq!(
            num_logsumexp,
            self.num_sequences * self.num_queries * self.num_heads,
            "logsumexp of each query"
        );
    }
}

/// Intermediate results of a thread, kept for the next block.
#[derive(Default)]
pub(crate) struct Buffers {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    pub key_rows: Vec<f32>,
    pub queries: Vec<f32>,
    pub gradients: Vec<f32>,
    pub scores: Vec<f32>,
    pub dscores: Vec<f32>,
}

thread_local! {
    static BUFFERS: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

pub(crate) fn with_buffers(work: impl FnOnce(&mut Buffers)) {
    let mut buffers = BUFFERS.take().unwrap_or_default();
    work(&mut buffers);
    BUFFERS.set(Some(buffers));
}

pub(super) fn at_least(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
