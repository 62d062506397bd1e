"""Time of a training step with each switch of the record recipe, one at a time: `python benchmarks/switches.py`.

Every variant takes a step in turn, for as long as asked; of each the least processor time counts, which other work on
the machine changes least. One thread, float32.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np

from homespun.accounting.totals import count_parameters, parameter_shapes, training_flops
from homespun.corpus.config import SourceConfig
from homespun.data.config import DataConfig
from homespun.model.config import ModelConfig
from homespun.optim import AdamWOptim, Constant, MuonOptim, OptimConfig, WeightAverage
from homespun.recipe.config import ExecutionConfig, RunConfig, TrainingConfig
from homespun.runs.device import compute_threads
from homespun.tokenizer.config import TokenizerConfig
from homespun.training.engine import Engine

BATCH_SIZE = 8
MODEL = ModelConfig(vocab_size=4096, context_length=256, d_model=128, num_layers=4, num_heads=4, d_ff=384)
ADAMW, MUON = AdamWOptim(schedule=Constant()), MuonOptim(schedule=Constant())
EMA = WeightAverage(kind="ema", fraction=1.0)
RECORD = replace(
    MODEL,
    feed_forward="relu2",
    d_ff=512,
    qk_norm=True,
    zero_init=True,
    logit_softcap=15.0,
    residual_scales=True,
    value_embeddings=2,
)
VARIANTS: dict[str, tuple[ModelConfig, OptimConfig]] = {
    "reference: SwiGLU, AdamW": (MODEL, ADAMW),
    "relu2, d_ff 512": (replace(MODEL, feed_forward="relu2", d_ff=512), ADAMW),
    "relu2, d_ff 576 (parameters matched)": (replace(MODEL, feed_forward="relu2", d_ff=576), ADAMW),
    "qk_norm": (replace(MODEL, qk_norm=True), ADAMW),
    "zero_init": (replace(MODEL, zero_init=True), ADAMW),
    "logit_softcap 15": (replace(MODEL, logit_softcap=15.0), ADAMW),
    "residual_scales": (replace(MODEL, residual_scales=True), ADAMW),
    "value_embeddings 1": (replace(MODEL, value_embeddings=1), ADAMW),
    "value_embeddings 2": (replace(MODEL, value_embeddings=2), ADAMW),
    "bigram_buckets 4,096": (replace(MODEL, bigram_buckets=4096), ADAMW),
    "bigram_buckets 16,384": (replace(MODEL, bigram_buckets=16384), ADAMW),
    "cautious_decay": (MODEL, replace(ADAMW, cautious_decay=True)),
    "average: ema, of all steps": (MODEL, replace(ADAMW, average=EMA)),
    "muon": (MODEL, MUON),
    "muon, cautious_decay": (MODEL, replace(MUON, cautious_decay=True)),
    "muon, polar_express": (MODEL, replace(MUON, polar_express=True)),
    "muon, normalize_rows (steps by torch)": (MODEL, replace(MUON, normalize_rows=True)),
    "all but bigrams, relu2 with d_ff 512, muon": (
        RECORD,
        replace(MUON, polar_express=True, normalize_rows=True, cautious_decay=True, average=EMA),
    ),
}


def build(model: ModelConfig, optim: OptimConfig) -> Engine:
    """Build the engine of a run without data."""
    config = RunConfig(
        name="switches",
        source=SourceConfig(corpus="files", train="train.txt", valid="valid.txt"),
        tokenizer=TokenizerConfig(vocab_size=300),
        data=DataConfig(tokenizer="tokenizer", train="train", valid="valid"),
        model=model,
        optim=optim,
        training=TrainingConfig(num_steps=1_000_000, batch_size=BATCH_SIZE),
        execution=ExecutionConfig(micro_batch=BATCH_SIZE, device="cpu", precision="float32"),
    )
    return Engine.build(config)


def main() -> None:
    """Print a row of a table for each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=150.0, help="time to measure for")
    arguments = parser.parse_args()
    ids = np.random.default_rng(0).integers(MODEL.vocab_size, size=(BATCH_SIZE, MODEL.context_length + 1))
    least = dict.fromkeys(VARIANTS, float("inf"))
    with compute_threads("cpu", "float32", 1):
        engines = {name: build(*variant) for name, variant in VARIANTS.items()}
        step, end = 0, time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            for name, engine in engines.items():
                before = time.process_time()
                engine.step(step, ids[:, :-1], ids[:, 1:])
                least[name] = min(least[name], time.process_time() - before)
            step += 1
    sys.stdout.write(f"least of {step} steps each\n")
    first = next(iter(least.values()))
    for name, seconds in least.items():
        model, optim = VARIANTS[name]
        forward_and_backward = training_flops(model, model.context_length, BATCH_SIZE) / 1e9
        update = optim.update_cost(parameter_shapes(model)).flops / 1e9
        sys.stdout.write(
            f"| {name} | {count_parameters(model):,} | {forward_and_backward:.2f} | {update:.3f} | "
            f"{seconds * 1e3:.1f} | {seconds / first:.2f} |\n"
        )


if __name__ == "__main__":
    main()
