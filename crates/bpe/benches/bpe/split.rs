//! Text to pre-tokens, by each pattern on each backend that this processor supports.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion, Throughput};
use homespun_bpe::split::{Backend, GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN};
use homespun_bpe::Splitter;

use crate::text::Text;

pub fn bench(criterion: &mut Criterion, texts: &[Text]) {
    let mut group = criterion.benchmark_group("split");
    for (name, pattern) in [("gpt2", GPT2_PATTERN), ("gpt4", GPT4_PATTERN), ("o200k", O200K_PATTERN)] {
        let splitter = Splitter::new(pattern).expect("a known pattern");
        for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
            for text in texts {
                group.throughput(Throughput::Bytes(text.content.len() as u64));
                let id = BenchmarkId::new(format!("{name}/{backend:?}"), text.name);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        let on_batch = |start, ends: &[usize]| {
                            black_box((start, ends));
                            ControlFlow::Continue(())
                        };
                        splitter.try_for_each_batch(backend, &text.content, on_batch)
                    });
                });
            }
        }
    }
}
