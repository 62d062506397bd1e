"""The published accounting exercises, to the digit.

Oracle: two write-ups of the same exercise (one with three feed-forward matrices, one with two), recomputed by hand
where they slip; the slips are kept as figures that must not come out.
"""

import json

import pytest

from homespun.accounting.estimate import Estimate, estimate_training
from homespun.accounting.machines import get_machine
from homespun.accounting.presets import preset
from homespun.accounting.totals import (
    count_parameters,
    forward_flops,
    forward_flops_by_component,
    list_matrix_multiplies,
    training_memory,
)
from homespun.cli.estimate import main

pytestmark = pytest.mark.golden


@pytest.mark.parametrize(
    ("feed_forward", "parameters", "num_bytes"),
    [("swiglu", 2_127_057_600, 8_508_230_400), ("silu", 1_635_537_600, 6_542_150_400)],
)
def test_parameters_of_xl(feed_forward, parameters, num_bytes):
    model = preset("gpt2-xl", feed_forward=feed_forward)
    assert count_parameters(model) == parameters
    assert training_memory(model, 1024).fixed["parameters"] == num_bytes


@pytest.mark.parametrize(
    ("name", "feed_forward", "context_length", "flops"),
    [
        ("gpt2-xl", "swiglu", 1024, 4_513_336_524_800),
        ("gpt2-large", "swiglu", 1024, 2_257_754_521_600),
        ("gpt2-medium", "swiglu", 1024, 1_033_109_504_000),
        ("gpt2-small", "swiglu", 1024, 349_630_365_696),
        ("gpt2-xl", "swiglu", 16_384, 149_522_795_724_800),
        ("gpt2-xl", "silu", 1024, 3_506_703_564_800),
        ("gpt2-large", "silu", 1024, 1_774_570_700_800),
        ("gpt2-medium", "silu", 1024, 826_951_073_792),
        ("gpt2-small", "silu", 1024, 291_648_307_200),
        ("gpt2-xl", "silu", 16_384, 133_416_668_364_800),
    ],
)
def test_forward_flops(name, feed_forward, context_length, flops):
    model = preset(name, context_length=context_length, feed_forward=feed_forward)
    assert forward_flops(model, context_length) == flops


def test_parts_of_xl_with_three_matrices():
    assert forward_flops_by_component(preset("gpt2-xl"), 1024) == {
        "attention": 1_328_755_507_200,
        "feed-forward": 3_019_898_880_000,
        "head": 164_682_137_600,
    }


@pytest.mark.parametrize(
    ("name", "context_length", "shares"),
    [
        ("gpt2-xl", 1024, {"attention": 29.44, "feed-forward": 66.91, "head": 3.65}),
        ("gpt2-small", 1024, {"attention": 27.64, "feed-forward": 49.75, "head": 22.61}),
        ("gpt2-xl", 16_384, {"attention": 65.92}),
    ],
)
def test_shares_with_three_matrices(name, context_length, shares):
    parts = forward_flops_by_component(preset(name, context_length=context_length), context_length)
    total = sum(parts.values())
    assert {part: round(100 * parts[part] / total, 2) for part in shares} == shares


def test_shares_of_xl_with_two_matrices():
    products = list_matrix_multiplies(preset("gpt2-xl", feed_forward="silu"), 1024)
    total = sum(product.flops for product in products)
    shares = [round(100 * product.flops / total, 2) for product in products]
    # The last two feed-forward shares are 57.41 together.
    assert shares == [21.53, 4.59, 4.59, 7.18, 28.71, 28.71, 4.70]
    assert round(100 * (products[4].flops + products[5].flops) / total, 2) == 57.41


def test_one_block_of_the_small_model():
    """A published 11,509,596,160 + 4,731,174,912 is a slip."""
    model = preset("gpt2-small")
    parts = forward_flops_by_component(model, 1024)
    assert parts["feed-forward"] == 14_495_514_624 * model.num_layers
    assert parts["attention"] == 8_053_063_680 * model.num_layers


def test_adamw_memory_of_xl_with_two_matrices():
    memory = training_memory(preset("gpt2-xl", feed_forward="silu"), 1024)
    assert memory.per_sequence_bytes == 15_311_904_768
    assert memory.fixed_bytes == 26_168_601_600
    assert memory.max_batch_size(80 * 10**9) == 3


@pytest.mark.parametrize(("feed_forward", "by_rule", "exact"), [("silu", 4886, 5115), ("swiglu", 6354, 6584)])
def test_days_of_xl_on_one_a100(feed_forward, by_rule, exact):
    estimate = _published_run(feed_forward)
    assert (round(estimate.days_by_rule), round(estimate.days)) == (by_rule, exact)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (
            ["gpt2-xl"],
            """2,127,057,600 8,508,230,400 4,513,336,524,800 1,328,755,507,200 29.44 3,019,898,880,000 66.91
            164,682,137,600 3.65 1,635,537,600 1,557,611,200""",
        ),
        (["gpt2-large"], "2,257,754,521,600"),
        (["gpt2-medium"], "1,033,109,504,000"),
        (["gpt2-small"], "349,630,365,696 27.64 49.75 22.61 14,495,514,624 8,053,063,680"),
        (["gpt2-xl", "--context-length", "16384"], "149,522,795,724,800 65.92"),
        (
            ["gpt2-xl", "--feed-forward", "silu"],
            """1,635,537,600 6,542,150,400 3,506,703,564,800 21.53 4.59 7.18 57.41 4.70
            15,311,904,768 26,168,601,600""",
        ),
        (["gpt2-large", "--feed-forward", "silu"], "1,774,570,700,800"),
        (["gpt2-medium", "--feed-forward", "silu"], "826,951,073,792"),
        (["gpt2-small", "--feed-forward", "silu"], "291,648,307,200"),
        (["gpt2-xl", "--feed-forward", "silu", "--context-length", "16384"], "133,416,668,364,800"),
        (["gpt2-xl", "--feed-forward", "silu", "--batch-size", "1024", "--steps", "400000"], "4,886 5,115"),
        (["gpt2-xl", "--batch-size", "1024", "--steps", "400000"], "6,354 6,584"),
    ],
)
def test_each_figure_comes_from_one_command(arguments, printed, capsys):
    assert main(arguments) == 0
    words = capsys.readouterr().out.split()
    assert set(printed.split()) <= set(words)


def test_json_has_the_same_figures(capsys):
    assert main(["gpt2-xl", "--feed-forward", "silu", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["forward"]["flops"] == 3_506_703_564_800
    assert figures["memory"]["max_batch_size"] == 3


def _published_run(feed_forward) -> Estimate:
    """400,000 steps of batch 1,024 at half of an A100's float32 peak, 19.5 TFLOP/s."""
    return estimate_training(
        preset("gpt2-xl", feed_forward=feed_forward),
        name="gpt2-xl",
        batch_size=1024,
        num_steps=400_000,
        machine=get_machine("A100"),
        precision="float32",
        mfu=0.5,
    )
