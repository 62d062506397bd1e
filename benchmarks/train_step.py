"""Training steps on random tokens, next to transformers' Llama of the same shape.

    python benchmarks/train_step.py                           the base model, both precisions, two threads
    python benchmarks/train_step.py --model demo --precision float32 --steps 20
    python benchmarks/train_step.py --neighbour nice          beside a process that keeps a core busy, at nice 19
    HOMESPUN_INSTRUCTIONS=avx2 python benchmarks/train_step.py --precision float32

A step is forward, backward, clipping and AdamW: of 16 sequences of 256 tokens with the base model (22,696,448
parameters), of 8 with the demo's (1,328,256). "homespun" is the engine of `homespun train`; "homespun torch" the same
with the operations of the backend `eager`, in torch. The peer runs without torch.compile and is given PyTorch's fused
attention, cross-entropy, AdamW and clipping.

The share of the peak is that of the FLOPs that `homespun estimate` counts, by the multiply-adds in registers that the
same process measured before.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from harness import chosen_names, make_parser, print_table, report, run_in_turn, summarise, write_comparison

CONTEXT_LENGTH = 256


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model and its batch."""

    batch_size: int
    vocab_size: int
    d_model: int
    d_ff: int
    num_layers: int = 4
    num_heads: int

    @property
    def tokens(self) -> int:
        return self.batch_size * CONTEXT_LENGTH


SHAPES = {
    "base": Shape(batch_size=16, vocab_size=10_000, d_model=512, d_ff=1_344, num_heads=16),
    "demo": Shape(batch_size=8, vocab_size=2_048, d_model=128, d_ff=352, num_heads=4),
}

Step = Callable[[], object]


def model_config(shape: Shape) -> Any:
    from homespun.model import ModelConfig

    return ModelConfig(
        vocab_size=shape.vocab_size,
        context_length=CONTEXT_LENGTH,
        d_model=shape.d_model,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        d_ff=shape.d_ff,
    )


def prepare_homespun(shape: Shape, chosen: argparse.Namespace) -> Step:
    import numpy as np

    from homespun.model import TrainingLoss, TransformerLM
    from homespun.optim import AdamWOptim, Constant, build_optimizer
    from homespun.training.engine import Engine

    model = TransformerLM(model_config(shape))
    engine = Engine(
        model=model,
        loss=TrainingLoss(model, reduction="sum"),
        optimizer=build_optimizer(model, AdamWOptim()),
        schedule=Constant(),
        num_steps=1000,
        micro_batch=chosen.micro_batch or shape.batch_size,
        max_grad_norm=1.0,
        device="cpu",
        precision=chosen.precision,
    )
    ids = np.random.default_rng(0).integers(shape.vocab_size, size=(shape.batch_size, CONTEXT_LENGTH + 1))
    return lambda: engine.step(0, ids[:, :-1], ids[:, 1:])


def prepare_homespun_torch(shape: Shape, chosen: argparse.Namespace) -> Step:
    from homespun.model.ops import use_backends

    step = prepare_homespun(shape, chosen)

    def step_in_torch() -> None:
        with use_backends("eager"):
            step()

    return step_in_torch


def prepare_transformers(shape: Shape, chosen: argparse.Namespace) -> Step:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.d_model,
            intermediate_size=shape.d_ff,
            num_hidden_layers=shape.num_layers,
            num_attention_heads=shape.num_heads,
            max_position_embeddings=CONTEXT_LENGTH,
            attn_implementation="sdpa",  # pyright: ignore[reportCallIssue] # a keyword of the base class
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    tokens = torch.randint(shape.vocab_size, (shape.batch_size, CONTEXT_LENGTH + 1))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=chosen.precision == "bfloat16"):
            logits = model(tokens[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


CONTENDERS = {
    "homespun": prepare_homespun,
    "homespun torch": prepare_homespun_torch,
    "transformers": prepare_transformers,
}


def measure(chosen: argparse.Namespace) -> dict[str, float]:
    """The median wall-clock seconds of steps after two to warm up, and what they cost."""
    import torch

    from homespun.accounting.totals import training_flops
    from homespun.runs.device import compute_threads
    from homespun.training.peak import find_peak

    torch.manual_seed(0)
    torch.set_num_threads(chosen.threads)
    shape = SHAPES[chosen.model]
    peak = find_peak("cpu", chosen.precision).flops
    step = CONTENDERS[chosen.run](shape, chosen)
    seconds, faults = [], []
    uses_kernels = chosen.run == "homespun"
    with compute_threads("cpu", chosen.precision, compiles=not uses_kernels), neighbour(chosen.neighbour):
        for _ in range(2):
            step()
        for _ in range(chosen.steps):
            faults_before, began = page_faults(), time.perf_counter()
            step()
            seconds.append(time.perf_counter() - began)
            faults.append(page_faults() - faults_before)
    flops = shape.batch_size * training_flops(model_config(shape), CONTEXT_LENGTH)
    return {
        "seconds": median(seconds),
        "tokens_per_second": shape.tokens / median(seconds),
        "peak_flops": peak,
        "share_of_peak": flops / median(seconds) / peak,
        "page_faults_per_step": median(faults),
    }


def page_faults() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


@contextmanager
def neighbour(kind: str) -> Iterator[None]:
    """Keep one core busy with another process meanwhile."""
    if kind == "none":
        yield
        return
    process = multiprocessing.get_context("spawn").Process(target=keep_busy, args=(kind,), daemon=True)
    process.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        process.kill()


def keep_busy(kind: str) -> None:
    if kind == "nice":
        os.nice(19)
    while True:
        sum(range(100_000))


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS, repeats=3)
    parser.add_argument("--model", default="base", help=f"some of {','.join(SHAPES)}, with commas")
    parser.add_argument("--precision", default="float32,bfloat16", help="float32, bfloat16, or both with a comma")
    parser.add_argument("--micro-batch", type=int, default=0, help="of homespun; 0: the whole batch")
    parser.add_argument("--neighbour", choices=["none", "equal", "nice"], default="none")
    parser.add_argument("--steps", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.run:
        report(measure(chosen))
        return
    names = chosen_names(chosen, CONTENDERS)
    tables: dict[str, Any] = {}
    for model in chosen.model.split(","):
        for precision in chosen.precision.split(","):
            options = {**vars(chosen), "model": model, "precision": precision}
            keys = ("model", "precision", "micro_batch", "neighbour", "steps", "threads")
            arguments = [text for key in keys for text in (f"--{key.replace('_', '-')}", str(options[key]))]
            runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
            rows = summarise(runs, ours="homespun")
            for row in rows:
                for figure in ("tokens_per_second", "peak_flops", "share_of_peak", "page_faults_per_step"):
                    row[figure] = median(run[figure] for run in runs[row["name"]])
            title = f"{model}, {precision}"
            tables[title] = rows
            print_table(f"one step of {SHAPES[model].tokens:,} tokens, {title}", rows)
            for row in rows:
                print(
                    f"  {row['name']:<16} {row['share_of_peak']:.1%} of {row['peak_flops'] / 1e9:,.0f} GFLOP/s, "
                    f"{row['page_faults_per_step']:,.0f} page faults a step"
                )
    circumstances = {"steps": chosen.steps, "micro_batch": chosen.micro_batch, "neighbour": chosen.neighbour}
    write_comparison("train_step", chosen, ["torch", "transformers"], {**circumstances, "tables": tables})


if __name__ == "__main__":
    main()
