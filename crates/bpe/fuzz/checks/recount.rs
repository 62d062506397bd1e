//! What training is, carried out naively.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use homespun_bpe::train::{Merge, Ties};
use homespun_bpe::Counts;

/// Algorithm 1 of Sennrich et al. (arXiv:1508.07909), with ties by bytes, or by ids as Hugging Face numbers them.
pub fn recount(counts: &Counts, num_tokens: usize, ties: &Ties) -> Vec<Merge> {
    let mut words: Vec<(Vec<Vec<u8>>, u64)> = counts
        .iter()
        .map(|(word, count)| (word.iter().map(|&byte| vec![byte]).collect(), count))
        .collect();
    let (mut merges, mut tokens) = (Vec::new(), HashSet::new());
    let mut ids: HashMap<Arc<[u8]>, usize> = HashMap::new();
    if let Ties::Ids { special_tokens } = ties {
        // What Latin-1 shows stands for itself; the others follow in order.
        let shown = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let bytes = (0..=255).filter(shown).chain((0..=255).filter(|byte| !shown(byte)));
        for token in special_tokens.iter().cloned().chain(bytes.map(|byte| vec![byte])) {
            let id = ids.len();
            ids.entry(token.into()).or_insert(id);
        }
    }
    while tokens.len() < num_tokens {
        let mut pairs: BTreeMap<Merge, u64> = BTreeMap::new();
        for (word, count) in &words {
            for pair in word.windows(2) {
                *pairs
                    .entry((pair[0].clone().into(), pair[1].clone().into()))
                    .or_default() += count;
            }
        }
        let by_ties = |a: &Merge, b: &Merge| match ties {
            Ties::Bytes => a.cmp(b),
            Ties::Ids { .. } => (ids[&b.0], ids[&b.1]).cmp(&(ids[&a.0], ids[&a.1])),
        };
        let Some((best, _)) = pairs
            .into_iter()
            .max_by(|a, b| a.1.cmp(&b.1).then_with(|| by_ties(&a.0, &b.0)))
        else {
            break;
        };
        for (word, _) in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if *word[at] == *best.0 && *word[at + 1] == *best.1 {
                    let right = word.remove(at + 1);
                    word[at].extend(right);
                }
                at += 1;
            }
        }
        let joined: Arc<[u8]> = [&*best.0, &*best.1].concat().into();
        let id = ids.len();
        ids.entry(joined.clone()).or_insert(id);
        tokens.insert(joined);
        merges.push(best);
    }
    merges
}
