//! Counts a file and trains on it, with times and peak memory: `measure FILE NUM_TOKENS [THREADS] [CHUNK_BYTES] [gpt2|gpt4]`.
//!
//! With `HOMESPUN_OUT=DIR` it writes counts and merges there, in hex.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use homespun_bpe::count::{count_file, CountOptions};
use homespun_bpe::progress::ignore_progress;
use homespun_bpe::split::{GPT2_PATTERN, GPT4_PATTERN};
use homespun_bpe::train::{Ties, TrainOptions, Trainer};
use homespun_bpe::{SpecialTokens, Splitter};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = Path::new(arguments.first().ok_or("which file?")?);
    let num_tokens: usize = arguments.get(1).ok_or("how many tokens?")?.parse()?;
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |n| n.parse());
    let options = CountOptions {
        num_threads: number(2, 2)?,
        chunk_bytes: number(3, 1 << 18)?,
        ..CountOptions::default()
    };
    let pattern = match arguments.get(4).map(String::as_str) {
        Some("gpt4") => GPT4_PATTERN,
        _ => GPT2_PATTERN,
    };
    let specials = SpecialTokens::new(["<|endoftext|>"])?;
    let splitter = Splitter::new(pattern)?;

    let start = Instant::now();
    let counts = count_file(path, &specials, &splitter, &options, &ignore_progress)?;
    let counted = start.elapsed();
    let train_options = TrainOptions {
        ties: Ties::Bytes,
        num_threads: options.num_threads,
    };
    let mut trainer = Trainer::new(&counts, &[], train_options)?;
    let merges = trainer.merge(num_tokens, &ignore_progress)?;
    let trained = start.elapsed();
    println!(
        "count {:.3} s ({} distinct, {} in all), train {:.3} s ({} merges), {:.3} s together; {}",
        counted.as_secs_f64(),
        counts.len(),
        counts.total(),
        (trained - counted).as_secs_f64(),
        merges.len(),
        trained.as_secs_f64(),
        std::fs::read_to_string("/proc/self/status")?
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
    if let Ok(out) = std::env::var("HOMESPUN_OUT") {
        let mut file = std::io::BufWriter::new(std::fs::File::create(Path::new(&out).join("counts"))?);
        for (word, count) in counts.iter() {
            writeln!(file, "{} {count}", hex(word))?;
        }
        let mut file = std::io::BufWriter::new(std::fs::File::create(Path::new(&out).join("merges"))?);
        for (left, right) in &merges {
            writeln!(file, "{} {}", hex(left), hex(right))?;
        }
    }
    Ok(())
}
