//! Splits a file in every way that this machine can take: `split_speed FILE [gpt2|gpt4|o200k]`; the best of five, in MB/s
//! on one core.

use std::error::Error;
use std::time::Instant;

use homespun_bpe::split::{Backend, GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN};
use homespun_bpe::Splitter;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = std::fs::read_to_string(arguments.first().ok_or("which file?")?)?;
    let pattern = match arguments.get(1).map(String::as_str) {
        None | Some("gpt2") => GPT2_PATTERN,
        Some("gpt4") => GPT4_PATTERN,
        Some("o200k") => O200K_PATTERN,
        Some(other) => return Err(format!("gpt2, gpt4 or o200k, not {other}").into()),
    };
    let splitter = Splitter::new(pattern)?;
    for way in Backend::ALL.into_iter().filter(|way| way.is_supported()) {
        let mut best = f64::INFINITY;
        let (mut num_tokens, mut longest) = (0, 0);
        for _ in 0..5 {
            (num_tokens, longest) = (0, 0);
            let start = Instant::now();
            splitter.try_for_each_batch(way, &text, |mut start, ends| {
                num_tokens += ends.len();
                for &end in ends {
                    longest = longest.max(end - start);
                    start = end;
                }
                std::ops::ControlFlow::Continue(())
            })?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!(
            "{way:?}: {num_tokens} pre-tokens, longest {longest}: {:.0} MB/s",
            text.len() as f64 / best / 1e6
        );
    }
    Ok(())
}
