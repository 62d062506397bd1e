//! Ids to text.

use criterion::{Criterion, Throughput};
use homespun_bpe::SpecialPolicy;

use crate::text::{encoder_for, Text};

pub fn bench(criterion: &mut Criterion, texts: &[Text]) {
    let mut group = criterion.benchmark_group("decode");
    for Text { name, content } in texts {
        let encoder = encoder_for(content);
        let ids = encoder
            .encode(content, SpecialPolicy::Encode)
            .expect("every byte is a token");
        let decoded = encoder.vocabulary().decode(&ids).expect("ids of the vocabulary");
        assert!(decoded == content.as_bytes(), "decoding gave another text");
        group.throughput(Throughput::Bytes(content.len() as u64));
        group.bench_function(*name, |bencher| bencher.iter(|| encoder.vocabulary().decode(&ids)));
    }
}
