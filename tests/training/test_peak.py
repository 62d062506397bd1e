"""The peak that utilisation refers to: what it is measured by, and that a run keeps it."""

import json
import platform

import pytest
import torch

from homespun import _native
from homespun.errors import RunError
from homespun.records import RunDirectory
from homespun.runs.device import Choice
from homespun.training.environment import keep_environment
from homespun.training.peak import find_peak

CPU = Choice(value="cpu", reason="a test")
FLOAT32 = Choice(value="float32", reason="a test")
on_avx2 = pytest.mark.skipif("avx2" not in _native.instruction_levels(), reason="other processors time products")


@pytest.fixture(params=[1, 2])
def num_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@on_avx2
def test_float32_is_multiply_adds_on_torchs_threads(num_threads):
    peak = find_peak("cpu", "float32")
    assert peak.flops > 0
    assert any(f"multiply-adds ({level})" in peak.reason for level in _native.instruction_levels())
    assert f"on {num_threads} thread" in peak.reason


@on_avx2
@pytest.mark.skipif(torch.cpu.get_capabilities().get("amx_bf16", False), reason="AMX is faster than dot products")
def test_bfloat16_is_dot_products_where_the_processor_has_them():
    """Oracle: the extension's own answer, which tests/native compares with the processor's flags."""
    peak = find_peak("cpu", "bfloat16")
    assert peak.flops > 0
    has_dots = _native.instruction_level().endswith("bf16")
    assert peak.reason.startswith("bfloat16 dot products" if has_dots else "float32 multiply-adds")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_processors_with_matrix_units_time_a_product(monkeypatch, precision):
    """A processor that only Apple makes; so does one with AMX, for bfloat16."""
    monkeypatch.setattr(_native, "instruction_levels", lambda: ["portable"])
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    peak = find_peak("cpu", precision)
    assert peak.flops > 0
    assert f"{precision} matrices" in peak.reason


def test_amx_times_a_product(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True, "avx512_bf16": True})
    assert "bfloat16 matrices" in find_peak("cpu", "bfloat16").reason


def test_a_resumed_run_keeps_its_peak(tmp_path):
    """Oracle: the recorded figure, changed to one that no machine has."""
    directory = RunDirectory(tmp_path)
    first = keep_environment(directory, CPU, FLOAT32)
    recorded = json.loads(directory.environment.read_text())
    assert recorded["peak_flops"] == {"flops": first.flops, "reason": first.reason}
    recorded["peak_flops"]["flops"] = 12345.0
    directory.environment.write_text(json.dumps(recorded))
    assert keep_environment(directory, CPU, FLOAT32).flops == 12345.0


def test_an_environment_without_a_peak_is_refused(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.environment.write_text("{}")
    with pytest.raises(RunError, match=r"environment\.json: states no peak_flops"):
        keep_environment(directory, CPU, FLOAT32)
