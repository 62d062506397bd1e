"""`homespun estimate`: parameters, FLOPs, memory and days of a preset or a recipe, without running it."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from homespun.accounting.machines import PRECISIONS
from homespun.accounting.presets import PRESETS, preset, published_parameters
from homespun.cli.parsing import CommandParser, parse_count, parse_size
from homespun.errors import ConfigError
from homespun.model.config import FeedForward, ModelConfig

if TYPE_CHECKING:
    from homespun.accounting.estimate import Estimate
    from homespun.accounting.machines import Machine

_MFU = 0.5
"""Usual for large models on GPUs."""

_MEASURED = ("this", "cpu")

_EPILOG = """\
examples:
  homespun estimate gpt2-xl
  homespun estimate gpt2-xl --feed-forward silu                   two feed-forward matrices, as GPT-2 has
  homespun estimate gpt2-xl --context-length 16384
  homespun estimate gpt2-xl --feed-forward silu --batch-size 1024 --steps 400000 --machine A100 --mfu 0.5
  homespun estimate recipes/tinystories-gpu.yaml --machine H100 --precision bfloat16 --model.d_ff 2048
  homespun estimate recipes/demo.yaml --machine this --memory 2GB     on this machine, whose peak is measured
"""


def main(arguments: list[str]) -> int:
    """Print the tables, or the same figures as JSON."""
    parser = _build_parser()
    options, overrides = parser.parse_known_args(arguments)
    # Imported here so that `homespun --help` builds no other command.
    import json

    from homespun.accounting.tables import format_estimate

    estimate = _estimate(parser, options, overrides)
    print(json.dumps(estimate.as_dict(), indent=2) if options.json else format_estimate(estimate))
    return 0


def _build_parser() -> CommandParser:
    parser = CommandParser(
        prog="homespun estimate",
        description=(
            "Parameters, every matrix multiply with its FLOPs, peak memory and days of training, "
            "from a model's dimensions alone. Nothing is run."
        ),
        epilog=_EPILOG,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help=f"{', '.join(PRESETS)}, or a recipe's file; a recipe's keys are flags too",
    )
    parser.add_argument("--context-length", type=parse_count, metavar="T", help="another context, in tokens")
    parser.add_argument(
        "--feed-forward", choices=get_args(FeedForward), help="another feed-forward network (presets: swiglu)"
    )
    parser.add_argument("--d-ff", type=parse_count, metavar="F", help="another feed-forward width (presets: 4 d_model)")
    parser.add_argument(
        "--batch-size", type=parse_count, metavar="B", help="sequences in an optimizer step (presets: 1)"
    )
    parser.add_argument("--steps", type=parse_count, metavar="N", help="optimizer steps (presets: 1)")
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--machine",
        default="A100",
        metavar="NAME",
        help="its peak and memory are looked up (default: %(default)s); this or cpu: measured, in seconds",
    )
    machine.add_argument(
        "--precision",
        metavar="P",
        help=f"of the matrix multiplies: {', '.join(PRECISIONS)} (presets: float32); memory stays float32",
    )
    machine.add_argument(
        "--mfu",
        type=float,
        metavar="X",
        help=f"fraction of the peak that is used (default: {_MFU}; on a CPU as the model's sizes let expect)",
    )
    machine.add_argument("--peak-tflops", type=float, metavar="X", help="instead of the machine's peak in the table")
    machine.add_argument("--memory", type=parse_size, metavar="SIZE", help="instead of the machine's, such as 24GB")
    parser.add_argument("--json", action="store_true", help="print every figure unrounded, as JSON")
    return parser


def _estimate(parser: CommandParser, options: argparse.Namespace, overrides: list[str]) -> "Estimate":
    from homespun.accounting.estimate import estimate_training

    settings: dict[str, Any] = {}
    automatic, threads = False, None
    if options.model in PRESETS:
        if overrides:
            parser.error(f"unrecognized arguments: {' '.join(overrides)}")
        model, precision = preset(options.model), "float32"
        settings |= {"name": options.model, "batch_size": 1, "num_steps": 1}
        settings |= {"published_parameters": published_parameters(options.model)}
    elif Path(options.model).suffix in (".yaml", ".yml", ".json"):
        from homespun.recipe.load import load_recipe

        run = load_recipe(Path(options.model), overrides)
        model = run.model
        automatic = options.precision is None and run.execution.precision == "auto"
        precision, threads = "float32" if automatic else run.execution.precision, run.execution.threads
        settings |= {"name": run.name, "batch_size": run.training.batch_size, "num_steps": run.training.num_steps}
        settings |= {"micro_batch": run.execution.micro_batch, "optim": run.optim}
    else:
        raise ConfigError(
            f"model = {options.model!r} is neither a preset ({', '.join(PRESETS)}) nor a recipe's file (.yaml or .json)"
        )
    if options.batch_size is not None:
        settings |= {"batch_size": options.batch_size, "micro_batch": None}
    if options.steps is not None:
        settings["num_steps"] = options.steps
    precision = options.precision or precision
    changes = {"context_length": options.context_length, "feed_forward": options.feed_forward, "d_ff": options.d_ff}
    model = replace(model, **{field: value for field, value in changes.items() if value is not None})
    machine = _machine(options, precision, threads)
    if automatic and options.machine in _MEASURED and "bfloat16" in machine.peak_flops:
        precision = "bfloat16"  # what a run takes by itself where the hardware has it
    mfu = options.mfu
    if mfu is None:
        mfu = _MFU if machine.process_bytes is None else _cpu_mfu(model, machine, precision, settings)
    return estimate_training(model, machine=machine, precision=precision, mfu=mfu, **settings)


def _cpu_mfu(model: ModelConfig, machine: "Machine", precision: str, settings: dict[str, Any]) -> float:
    from homespun.accounting.cpu import cpu_mfu

    machine.peak(precision)  # refuses one that it lacks
    batch_size = settings["batch_size"]
    micro_batch = settings.get("micro_batch") or batch_size
    peaks = machine.peak_flops
    return cpu_mfu(model, batch_size, micro_batch, settings.get("optim"), peak_flops=peaks, precision=precision)


def _machine(options: argparse.Namespace, precision: str, threads: int | None) -> "Machine":
    from homespun.accounting.machines import Machine, find_machine, get_machine

    if options.machine in _MEASURED and options.peak_tflops is None:
        from homespun.training.this_machine import measure_machine

        machine = measure_machine("cpu" if options.machine == "cpu" else "auto", threads)
    elif options.peak_tflops is None:
        machine = get_machine(options.machine)
    else:
        known = find_machine(options.machine)
        memory = known.memory_bytes if known else options.memory
        if memory is None:
            raise ConfigError(f"machine = {options.machine!r} is not in the table; give its memory with --memory too")
        machine = Machine(name=options.machine, memory_bytes=memory, peak_flops={precision: options.peak_tflops * 1e12})
    return machine if options.memory is None else replace(machine, memory_bytes=options.memory)
