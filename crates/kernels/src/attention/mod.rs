//! Causal attention without its matrix of weights: a block of queries at a time, whose scores stay in the cache.
//! Dao et al. 2022 (FlashAttention), arXiv:2205.14135.
//!
//! Queries, keys, values and outputs lie as (sequence, position, head, channel), as projections make them. With fewer
//! queries than keys, the queries are those of the last positions.

mod backward;
mod forward;
mod shape;

pub(crate) use backward::backward;
pub use backward::{attention_backward, Saved};
pub use forward::attention;
pub(crate) use shape::with_buffers;
pub use shape::Shape;

/// Queries whose scores are computed at a time.
const BLOCK: usize = 48;
