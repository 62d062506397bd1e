"""An estimate as aligned plain text: the tables that `homespun estimate` prints."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any, get_args

from homespun.accounting.estimate import Estimate
from homespun.accounting.totals import count_parameters
from homespun.model.config import FeedForward, ModelConfig

Row = Sequence[str | int]


def format_estimate(estimate: Estimate) -> str:
    """Return all tables as text."""
    figures = estimate.as_dict()
    sections = (
        _parameters(figures["parameters"], estimate.model),
        _forward(figures["forward"], estimate.model.num_layers),
        _memory(figures["memory"], figures["step"]["optimizers"]),
        _step(figures["step"], estimate.model.context_length),
        _time(figures["time"]),
    )
    return "\n\n".join([f"{estimate.name}: {_describe(estimate.model)}", *map("\n".join, sections)])


def align(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as lines, with the first column aligned left and the others right.

    Example: `align([["a", 10], ["bcd", 9]])` yields "  a    10" and "  bcd   9".
    """
    texts = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
    first_width, *widths = (max(map(len, column)) for column in zip(*texts, strict=True))
    for first, *others in texts:
        cells = [first.ljust(first_width), *map(str.rjust, others, widths)]
        yield ("  " + "  ".join(cells)).rstrip()


def _describe(model: ModelConfig) -> str:
    sizes = (
        f"{model.num_layers} layers, d_model {model.d_model:,}, {model.num_heads} heads, d_ff {model.d_ff:,}, "
        f"vocabulary {model.vocab_size:,}, context {model.context_length:,}, feed-forward {model.feed_forward}"
    )
    # Every other switch that is not at its default, as the recipe has it.
    others = (x for x in fields(model) if x.default is not MISSING and x.name != "feed_forward")
    changed = [f"{x.name} {getattr(model, x.name)}" for x in others if getattr(model, x.name) != x.default]
    return ", ".join([sizes, *changed])


def _parameters(parameters: dict[str, Any], model: ModelConfig) -> Iterator[str]:
    total, published = parameters["total"], parameters["published"]
    yield "Parameters"
    yield from align(
        [
            ("component", "parameters", "share"),
            *((component, count, _share(count, total)) for component, count in parameters["by_component"].items()),
            ("total", total, ""),
            ("bytes in float32", parameters["bytes"], ""),
        ]
    )
    if published is not None:
        yield "The same dimensions in other architectures"
        others = [replace(model, feed_forward=other) for other in get_args(FeedForward) if other != model.feed_forward]
        rows = [(f"feed_forward: {other.feed_forward}", count_parameters(other)) for other in others]
        yield from align([*rows, ("GPT-2: biases, learned positions, tied head", published)])


def _forward(forward: dict[str, Any], num_layers: int) -> Iterator[str]:
    length, total = forward["sequence_length"], forward["flops"]
    yield f"Matrix multiplies of a forward pass over one sequence of {length:,} tokens; each takes 2 m k n FLOPs"
    columns = ("name", "times", "m", "k", "n", "flops")
    yield from align(
        [
            ("product", "times", "m", "k", "n", "FLOPs", "share"),
            *(
                (*(product[column] for column in columns), _share(product["flops"], total))
                for product in forward["multiplies"]
            ),
            ("total", "", "", "", "", total, ""),
        ]
    )
    yield ""
    rows: list[Row] = [("component", "FLOPs in one block", "FLOPs", "share")]
    for component, count in forward["by_component"].items():
        in_block = "" if component == "head" else count // num_layers
        rows.append((component, in_block, count, _share(count, total)))
    yield from align(rows)


def _memory(memory: dict[str, Any], optimizers: list[str]) -> Iterator[str]:
    yield f"Peak memory of a training step with {' and '.join(optimizers)}, all in float32, every activation kept"
    activations = memory["activations_per_sequence"].items()
    yield from align(
        [
            ("memory", "bytes"),
            *memory["fixed"].items(),
            *((f"{name}, a sequence", size) for name, size in activations),
        ]
    )
    yield f"  total: {memory['per_sequence_bytes']:,} bytes x batch + {memory['fixed_bytes']:,} bytes"
    yield f"  at batch {memory['micro_batch']:,} in one pass: {memory['bytes']:,} bytes"
    yield (
        f"  the same on a CPU by homespun's kernels, which keep less: {memory['kernel_bytes']:,} bytes, "
        f"and {memory['process_bytes']:,} of the process itself"
    )
    yield (
        f"  largest batch in one pass in {memory['available_bytes'] / 10**9:,.4g} GB: {memory['max_batch_size']:,}, "
        f"on a CPU by homespun's kernels {memory['max_batch_size_by_kernels']:,}"
    )


def _step(step: dict[str, Any], sequence_length: int) -> Iterator[str]:
    yield f"FLOPs of a training step of {step['batch_size']:,} x {sequence_length:,} tokens"
    yield from align(
        [
            ("forward and backward, 3 x the multiplies above", step["flops"]),
            ("the same by the rule 6 B T P", step["flops_by_rule"]),
            (f"the update by {' and '.join(step['optimizers'])}", step["update_flops"]),
        ]
    )


def _time(time: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Time of {time['num_steps']:,} step{'s' if time['num_steps'] > 1 else ''} on one {time['machine']} "
        f"({time['precision']}: {time['peak_flops'] / 10**12:,.4g} TFLOP/s at {100 * time['mfu']:.4g} %)"
    )
    yield from align([("exact multiplies", _duration(time["days"])), ("6 B T P", _duration(time["days_by_rule"]))])


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.2f} %"


def _duration(days: float) -> str:
    """In the largest unit of which there are two or more; whole days from a hundred on."""
    if days >= 100:
        return f"{days:,.0f} days"
    for unit, per_day in (("days", 1), ("hours", 24), ("minutes", 24 * 60)):
        if days * per_day >= 2:
            return f"{days * per_day:.1f} {unit}"
    return f"{days * 24 * 60 * 60:.3g} seconds"
