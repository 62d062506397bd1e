//! Byte-level BPE without Python: split a text into pre-tokens, count them, train merges, encode and decode.
//!
//! The way through the crate is the way of the text: [`special`] finds special tokens, [`split`] cuts what lies
//! between them into pre-tokens, [`count`] counts those of a whole corpus, [`train`] turns counts into merges,
//! [`encode`], [`stream`] and [`corpus`] apply them to texts, [`vocab`] leads back from ids to bytes.

mod chunks;
mod hash;
mod heap;
mod memory;
mod merge;
mod parallel;
mod prefetch;
mod processor;
mod stable;
mod unicode_tables;

pub mod corpus;
pub mod count;
pub mod decode;
pub mod encode;
pub mod error;
pub mod fingerprint;
pub mod progress;
pub mod special;
pub mod split;
pub mod stream;
pub mod train;
pub mod unicode;
pub mod vocab;

pub use count::Counts;
pub use encode::{Encoder, SpecialPolicy};
pub use error::BpeError;
pub use special::SpecialTokens;
pub use split::Splitter;
pub use stable::stable_prefix;
pub use stream::EncodeStream;
pub use vocab::Vocabulary;
