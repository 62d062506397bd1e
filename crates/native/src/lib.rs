//! `homespun._native`: the Python interface of homespun-bpe and homespun-kernels.
//!
//! Nothing is decided here. Arguments are converted, the interpreter is released while Rust works, and each
//! [`homespun_bpe::BpeError`] becomes one of `homespun.errors`. `src/homespun/_native.pyi` is the interface.

mod arrays;
mod attention;
mod block;
mod buffers;
mod corpus;
mod counter;
mod counts;
mod encoder;
mod errors;
mod fingerprint;
mod id_list;
mod ids;
mod kernels;
mod loss;
mod measure;
mod residual;
mod stream;
mod trainer;
mod working;

#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::buffers::{buffer_bytes, release_buffers, uninitialized};
    #[pymodule_export]
    use super::corpus::{encode_documents, encode_text_files};
    #[pymodule_export]
    use super::counter::{first_cut, split, Counter};
    #[pymodule_export]
    use super::counts::{merge_counts_files, read_counts, read_counts_header, verify_counts, PretokenCounts};
    #[pymodule_export]
    use super::encoder::Encoder;
    #[pymodule_export]
    use super::fingerprint::{merges_as_json, tokens_as_json};
    #[pymodule_export]
    use super::kernels::Kernels;
    #[pymodule_export]
    use super::measure::{
        instruction_level, instruction_levels, measure_bfloat16_dots, measure_fresh_page, measure_memory,
        measure_multiply_adds,
    };
    #[pymodule_export]
    use super::stream::EncodeStream;
    #[pymodule_export]
    use super::trainer::{merge_memory_bytes, MergeTrainer};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("UNICODE_VERSION", homespun_bpe::unicode::UNICODE_VERSION)?;
        module.add("GPT2_PATTERN", homespun_bpe::split::GPT2_PATTERN)?;
        module.add("GPT4_PATTERN", homespun_bpe::split::GPT4_PATTERN)?;
        module.add("O200K_PATTERN", homespun_bpe::split::O200K_PATTERN)
    }
}
