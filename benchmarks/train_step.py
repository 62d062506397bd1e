"""Training steps of the base model (4 layers x 512, batch 16 x 256) on random tokens, next to transformers' Llama.

    python benchmarks/train_step.py                           both precisions, two threads
    python benchmarks/train_step.py --precision bfloat16 --steps 10

A step is forward, backward, clipping and AdamW. Both models have the same shape (22,696,448 parameters) and run as
they come, without torch.compile; the peer is given PyTorch's fused attention, cross-entropy, AdamW and clipping.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from harness import chosen_names, make_parser, print_table, report, run_in_turn, summarise, write_comparison

BATCH_SIZE, CONTEXT_LENGTH, VOCAB_SIZE = 16, 256, 10_000
D_MODEL, D_FF, NUM_LAYERS, NUM_HEADS = 512, 1_344, 4, 16

Step = Callable[[], None]


def prepare_homespun(precision: str) -> Step:
    import torch

    from homespun.model import ModelConfig, TrainingLoss, TransformerLM
    from homespun.optim import AdamW, clip_gradients

    model = TransformerLM(
        ModelConfig(
            vocab_size=VOCAB_SIZE,
            context_length=CONTEXT_LENGTH,
            d_model=D_MODEL,
            num_layers=NUM_LAYERS,
            num_heads=NUM_HEADS,
            d_ff=D_FF,
        )
    )
    loss_of, optimizer = TrainingLoss(model), AdamW(model.parameters())
    tokens = torch.randint(VOCAB_SIZE, (BATCH_SIZE, CONTEXT_LENGTH + 1))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_of(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def prepare_native(precision: str) -> Step:
    """The same on the Rust kernels, where they have the operation; for float32."""
    from homespun.model.ops import use_backends

    step = prepare_homespun(precision)

    def step_natively() -> None:
        with use_backends("native", "eager"):
            step()

    return step_natively


def prepare_transformers(precision: str) -> Step:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=D_MODEL,
            intermediate_size=D_FF,
            num_hidden_layers=NUM_LAYERS,
            num_attention_heads=NUM_HEADS,
            max_position_embeddings=CONTEXT_LENGTH,
            attn_implementation="sdpa",  # pyright: ignore[reportCallIssue] # a keyword of the base class
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(VOCAB_SIZE, (BATCH_SIZE, CONTEXT_LENGTH + 1))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(tokens[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


CONTENDERS = {"homespun": prepare_homespun, "homespun native": prepare_native, "transformers": prepare_transformers}


def measure(contender: str, precision: str, num_steps: int, num_threads: int) -> dict[str, float]:
    """The median wall-clock seconds of `num_steps` steps after one to warm up, and their rate in tokens."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(num_threads)
    step = CONTENDERS[contender](precision)
    step()
    seconds = []
    for _ in range(num_steps):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return {"seconds": median(seconds), "tokens_per_second": BATCH_SIZE * CONTEXT_LENGTH / median(seconds)}


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS, repeats=3)
    parser.add_argument("--precision", default="float32,bfloat16", help="float32, bfloat16, or both with a comma")
    parser.add_argument("--steps", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.run:
        report(measure(chosen.run, chosen.precision, chosen.steps, chosen.threads))
        return
    names = chosen_names(chosen, CONTENDERS)
    tables = {}
    for precision in chosen.precision.split(","):
        arguments = ["--precision", precision, "--steps", str(chosen.steps), "--threads", str(chosen.threads)]
        runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
        tables[precision] = summarise(runs, ours="homespun")
        print_table(f"one step of {BATCH_SIZE * CONTEXT_LENGTH:,} tokens, {precision}", tables[precision])
    write_comparison(
        "train_step",
        chosen,
        ["torch", "transformers"],
        {"steps": chosen.steps, "tokens_per_step": BATCH_SIZE * CONTEXT_LENGTH, "tables": tables},
    )


if __name__ == "__main__":
    main()
