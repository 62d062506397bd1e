"""An estimate as aligned plain text: the tables that `homespun estimate` prints."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, replace
from typing import get_args

from homespun.accounting.estimate import Estimate
from homespun.accounting.totals import (
    count_parameters,
    forward_flops,
    forward_flops_by_component,
    list_matrix_multiplies,
    parameters_by_component,
)
from homespun.model.config import FeedForward, ModelConfig

Row = Sequence[str]


def format_estimate(estimate: Estimate) -> str:
    """Return all tables as text."""
    headline = f"{estimate.name}: {_describe(estimate.model)}"
    sections = ("\n".join(section(estimate)) for section in (_parameters, _forward, _memory, _step, _time))
    return "\n\n".join([headline, *sections])


def align(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as lines, with the first column aligned left and the others right.

    Example: `align([["a", "10"], ["bcd", "9"]])` yields "  a    10" and "  bcd   9".
    """
    first_width, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    for first, *others in rows:
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


def _parameters(estimate: Estimate) -> Iterator[str]:
    model, total = estimate.model, estimate.num_parameters
    yield "Parameters"
    components = parameters_by_component(model).items()
    rows = [
        ["component", "parameters", "share"],
        *([component, f"{count:,}", _share(count, total)] for component, count in components),
        ["total", f"{total:,}", ""],
        ["bytes in float32", f"{estimate.parameter_bytes:,}", ""],
    ]
    yield from align(rows)
    if estimate.published_parameters is not None:
        yield "The same dimensions in other architectures"
        others = [other for other in get_args(FeedForward) if other != model.feed_forward]
        counts = [count_parameters(replace(model, feed_forward=other)) for other in others]
        rows = [[f"feed_forward: {other}", f"{count:,}"] for other, count in zip(others, counts, strict=True)]
        rows.append(["GPT-2: biases, learned positions, tied head", f"{estimate.published_parameters:,}"])
        yield from align(rows)


def _forward(estimate: Estimate) -> Iterator[str]:
    model, length = estimate.model, estimate.model.context_length
    total = forward_flops(model, length)
    yield f"Matrix multiplies of a forward pass over one sequence of {length:,} tokens; each takes 2 m k n FLOPs"
    rows = [["product", "times", "m", "k", "n", "FLOPs", "share"]]
    rows += [
        [
            product.name,
            *(f"{number:,}" for number in (product.times, product.m, product.k, product.n, product.flops)),
            _share(product.flops, total),
        ]
        for product in list_matrix_multiplies(model, length)
    ]
    rows.append(["total", "", "", "", "", f"{total:,}", ""])
    yield from align(rows)
    yield ""
    rows = [["component", "FLOPs in one block", "FLOPs", "share"]]
    for component, flops in forward_flops_by_component(model, length).items():
        in_block = "" if component == "head" else f"{flops // model.num_layers:,}"
        rows.append([component, in_block, f"{flops:,}", _share(flops, total)])
    yield from align(rows)


def _memory(estimate: Estimate) -> Iterator[str]:
    memory = estimate.memory
    yield f"Peak memory of a training step with {_optimizers(estimate)}, all in float32, every activation kept"
    rows = [
        ["memory", "bytes"],
        *([name, f"{size:,}"] for name, size in memory.fixed.items()),
        *([f"{name}, a sequence", f"{size:,}"] for name, size in memory.activations.items()),
    ]
    yield from align(rows)
    yield f"  total: {memory.per_sequence_bytes:,} bytes x batch + {memory.fixed_bytes:,} bytes"
    sequences = estimate.sequences_at_once
    yield f"  at batch {sequences:,} in one pass: {memory.bytes_at(sequences):,} bytes"
    available = estimate.machine.memory_bytes
    yield f"  largest batch in {available / 10**9:,.4g} GB: {memory.max_batch_size(available):,}"


def _step(estimate: Estimate) -> Iterator[str]:
    yield f"FLOPs of a training step of {estimate.batch_size:,} x {estimate.model.context_length:,} tokens"
    rows = [
        ["forward and backward, 3 x the multiplies above", f"{estimate.step_flops:,}"],
        ["the same by the rule 6 B T P", f"{estimate.step_flops_by_rule:,}"],
        [f"the update by {_optimizers(estimate)}", f"{estimate.update_cost.flops:,}"],
    ]
    yield from align(rows)


def _time(estimate: Estimate) -> Iterator[str]:
    peak = estimate.machine.peak(estimate.precision) / 10**12
    yield (
        f"Time of {estimate.num_steps:,} step{'s' if estimate.num_steps > 1 else ''} on one {estimate.machine.name} "
        f"({estimate.precision}: {peak:,.4g} TFLOP/s at {100 * estimate.mfu:.4g} %)"
    )
    rows = [["exact multiplies", _duration(estimate.days)], ["6 B T P", _duration(estimate.days_by_rule)]]
    yield from align(rows)


def _optimizers(estimate: Estimate) -> str:
    kinds = [estimate.optim.kind, *(rule.optimizer.kind for rule in estimate.optim.groups)]
    return " and ".join(dict.fromkeys(kinds))


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
