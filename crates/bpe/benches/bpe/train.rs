//! Counts to merges. Throughput is of the text that was counted.

use criterion::{Criterion, Throughput};

use crate::text::{counts_of, train, Text};

pub fn bench(criterion: &mut Criterion, texts: &[Text]) {
    let mut group = criterion.benchmark_group("train");
    for text in texts {
        let counts = counts_of(&text.content);
        group.throughput(Throughput::Bytes(text.content.len() as u64));
        group.bench_function(text.name, |bencher| bencher.iter(|| train(&counts)));
    }
}
