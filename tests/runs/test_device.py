import math
from contextlib import nullcontext
from types import MappingProxyType

import pytest
import torch

from homespun.accounting.totals import parameter_shapes
from homespun.errors import ConfigError
from homespun.kernels import num_threads
from homespun.recipe.load import load_recipe
from homespun.runs.device import _least_bytes, autocast, choose_device, choose_precision, compute_threads


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def with_flags(monkeypatch, **flags):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(flags))


def test_auto_without_gpu_is_the_cpu(no_gpu):
    assert choose_device("auto").value == "cpu"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(no_gpu, device):
    with pytest.raises(ConfigError, match=f"execution.device = '{device}'.*homespun doctor"):
        choose_device(device)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bfloat16"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"avx512_f": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_cpu_precision_follows_its_flags(monkeypatch, flags, expected):
    with_flags(monkeypatch, **flags)
    choice = choose_precision("auto", "cpu")
    assert choice.value == expected
    assert "bf16" in choice.reason


def test_the_recipe_overrules(monkeypatch):
    with_flags(monkeypatch, avx512_bf16=True)
    assert choose_precision("float32", "cpu").value == "float32"
    assert choose_precision("bfloat16", "mps").value == "bfloat16"


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_have_the_precision(precision, dtype):
    matrix = torch.eye(4)
    with autocast("cpu", precision), nullcontext():
        assert (matrix @ matrix).dtype == dtype


@pytest.mark.parametrize("compiles", [False, True])
def test_threads_are_those_asked_for_and_torchs_come_back(compiles):
    """Oracle: torch's own number, 1 where the kernels do the work."""
    before = torch.get_num_threads()
    with compute_threads("cpu", "float32", 3, compiles=compiles) as found:
        assert found == 3
        assert torch.get_num_threads() == (3 if compiles else 1)
        assert num_threads() == 3
    assert (torch.get_num_threads(), num_threads()) == (before, before)
    with compute_threads("cpu", "float32", compiles=compiles) as found:
        assert found == before


@pytest.mark.parametrize("value_embeddings", [0, 1, 3])
def test_the_least_memory_counts_every_block_and_table(value_embeddings):
    """Oracle: the shapes of the whole model; weights, gradients and AdamW's two moments, each a float32."""
    flags = ["--model.num_layers=5", f"--model.value_embeddings={value_embeddings}"]
    config = load_recipe("recipes/demo.yaml", flags)
    numbers = 4 * sum(math.prod(shape) for shape in parameter_shapes(config.model).values())
    outputs = 2 * config.execution.micro_batch * config.model.context_length * 5 * config.model.d_model
    assert _least_bytes(config) == 4 * numbers + outputs + 16 * config.tokens_per_step
