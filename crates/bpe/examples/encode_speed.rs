//! Encodes a file as one text, again and again, then decodes it: `encode_speed MERGES FILE [PASSES] [CACHE_BYTES]`; MB/s on one core.
//!
//! MERGES has a merge a line, its two parts in hex, as `measure` writes them. The first pass is the cold one.

use std::error::Error;
use std::time::Instant;

use homespun_bpe::split::GPT2_PATTERN;
use homespun_bpe::{Encoder, SpecialPolicy};

type Merges = Vec<(Vec<u8>, Vec<u8>)>;

fn from_hex(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    (0..digits.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&digits[at..at + 2], 16)?))
        .collect()
}

fn read_merges(path: &str) -> Result<Merges, Box<dyn Error>> {
    let mut merges = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let (left, right) = line.split_once(' ').ok_or("a merge is two words")?;
        merges.push((from_hex(left)?, from_hex(right)?));
    }
    Ok(merges)
}

/// Time that this thread has had a processor, so that others on the machine do not count (Linux; else 0).
fn processor_seconds() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = times.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let merges = read_merges(arguments.first().ok_or("which merges?")?)?;
    let text = std::fs::read_to_string(arguments.get(1).ok_or("which file?")?)?;
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |n| n.parse());
    let joined = merges.iter().map(|(left, right)| [&left[..], right].concat());
    let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(joined).collect();
    let specials = [("<|endoftext|>".to_owned(), tokens.len() as u32)];

    let start = Instant::now();
    let encoder = Encoder::new(
        (0..).zip(tokens),
        &merges,
        &specials,
        GPT2_PATTERN,
        number(3, 64 << 20)?,
    )?;
    println!("ready in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let speed = |start: f64| text.len() as f64 / (processor_seconds() - start) / 1e6;
    let mut worker = encoder.new_worker();
    let mut ids = Vec::new();
    for pass in 0..number(2, 5)? {
        ids.clear();
        let start = processor_seconds();
        encoder.encode_into(&mut worker, &text, SpecialPolicy::Encode, &mut ids)?;
        println!("pass {pass}: {} ids, {:.0} MB/s", ids.len(), speed(start));
    }
    let start = processor_seconds();
    let bytes = encoder.vocabulary().decode(&ids)?;
    println!("decoded: {:.0} MB/s", speed(start));
    if bytes != text.as_bytes() {
        return Err("decoding gave another text".into());
    }
    let sum = ids.iter().fold(0u64, |sum, &id| {
        sum.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(id))
    });
    println!("hash of the ids: {sum:016x}");
    Ok(())
}
