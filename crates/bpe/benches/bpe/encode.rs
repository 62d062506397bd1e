//! Text to ids: by a new worker, whose cache is empty, by one that has seen the text, and on two threads.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use homespun_bpe::progress::Progress;
use homespun_bpe::SpecialPolicy;

use crate::text::{encoder_for, Text};

pub fn bench(criterion: &mut Criterion, texts: &[Text]) {
    let mut group = criterion.benchmark_group("encode");
    for Text { name, content } in texts {
        let encoder = encoder_for(content);
        let encode = |worker: &mut _, ids: &mut Vec<u32>| {
            ids.clear();
            encoder
                .encode_into(worker, content, SpecialPolicy::Encode, ids)
                .expect("every byte is a token");
        };
        let mut ids = Vec::new();
        group.throughput(Throughput::Bytes(content.len() as u64));
        group.bench_function(BenchmarkId::new("cold", name), |bencher| {
            // One worker at a time: each holds a cache.
            bencher.iter_batched_ref(
                || encoder.new_worker(),
                |worker| encode(worker, &mut ids),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new("warm", name), |bencher| {
            let mut worker = encoder.new_worker();
            encode(&mut worker, &mut ids);
            bencher.iter(|| encode(&mut worker, &mut ids));
        });
        group.bench_function(BenchmarkId::new("threads=2", name), |bencher| {
            bencher.iter(|| encoder.encode_on_threads(content, SpecialPolicy::Encode, 2, &Progress::default()));
        });
    }
}
