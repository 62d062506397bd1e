//! The operations of a training step on the CPU, on plain slices, and one pool of threads that shares their work.
//!
//! Every result has the same bits for any number of threads: each element is computed by one thread, and every sum has a
//! fixed order. `docs/design/kernels.md` says how fast each operation can be and is.

mod arithmetic;
pub mod attention;
pub mod block;
pub mod embedding;
pub mod gate;
pub mod huge;
pub mod level;
pub mod loss;
pub mod matmul;
pub mod memory;
pub mod muon;
pub mod norm;
pub mod optimizer;
pub mod peak;
pub mod pool;
mod processor;
pub mod residual;
pub mod rope;
mod rows;
mod vector;
