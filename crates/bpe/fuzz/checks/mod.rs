//! What must hold for any bytes: one check a file, run by the fuzzer and, on the corpus kept, by `cargo test`.
//!
//! A check panics where something does not hold. Errors that the crate promises are compared, not accepted.

// Each fuzz target runs one check of all.
#![allow(dead_code)]

mod definition;
mod input;
mod recount;
mod vocabularies;

pub mod counts;
pub mod decode;
pub mod encode;
pub mod split;
pub mod train;
pub mod vocabulary;
