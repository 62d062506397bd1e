//! The hot paths of the crate, one file each: `make bench-rust`, or `cargo bench -p homespun-bpe -- encode` for one.
//!
//! Throughput is in bytes of text. Criterion compares with the last run on the same machine and keeps its figures in
//! `target/criterion`. One target for all paths: with link-time optimization, linking takes longer than compiling.

mod count;
mod decode;
mod encode;
mod split;
mod text;
mod train;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    let texts = text::texts();
    for path in [split::bench, count::bench, train::bench, encode::bench, decode::bench] {
        path(&mut criterion, &texts);
    }
    criterion.final_summary();
}
