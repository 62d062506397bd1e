//! Splits a file again and again: `split_speed FILE [gpt2|gpt4]`; the best of five, in MB/s on one core.

use std::error::Error;
use std::time::Instant;

use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::Splitter;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = std::fs::read_to_string(arguments.first().ok_or("which file?")?)?;
    let pattern = match arguments.get(1).map(String::as_str) {
        Some("gpt4") => GPT4_PATTERN,
        _ => GPT2_PATTERN,
    };
    let splitter = Splitter::new(pattern)?;
    let mut best = f64::INFINITY;
    let (mut num_tokens, mut longest) = (0u64, 0);
    for _ in 0..5 {
        (num_tokens, longest) = (0, 0);
        let start = Instant::now();
        splitter.for_each(&text, |start, end| {
            num_tokens += 1;
            longest = longest.max(end - start);
        })?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{num_tokens} pre-tokens, longest {longest}: {:.0} MB/s",
        text.len() as f64 / best / 1e6
    );
    Ok(())
}
