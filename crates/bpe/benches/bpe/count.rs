//! A file to the counts of its pre-tokens, on one thread and on two.

use criterion::{BenchmarkId, Criterion, Throughput};
use homespun_bpe::count::{count_file, CountOptions};

use crate::text::{specials, splitter, Text};

pub fn bench(criterion: &mut Criterion, texts: &[Text]) {
    let (specials, splitter) = (specials(), splitter());
    let path = std::env::temp_dir().join(format!("homespun-bench-{}.txt", std::process::id()));
    let mut group = criterion.benchmark_group("count");
    for text in texts {
        std::fs::write(&path, &text.content).expect("a temporary file");
        group.throughput(Throughput::Bytes(text.content.len() as u64));
        for num_threads in [1, 2] {
            let options = CountOptions {
                num_threads,
                ..CountOptions::default()
            };
            let id = BenchmarkId::new(format!("threads={num_threads}"), text.name);
            group.bench_function(id, |bencher| {
                bencher.iter(|| count_file(&path, &specials, &splitter, &options).expect("UTF-8"));
            });
        }
    }
    std::fs::remove_file(&path).expect("the temporary file");
}
