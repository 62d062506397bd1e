"""`homespun doctor`: the lines, their format, and facts of this machine. How fast anything is is not asserted."""

import re
from contextlib import redirect_stdout
from io import StringIO

import pytest
import torch

from homespun import _native
from homespun.cli import doctor
from homespun.model.ops import OPERATIONS
from homespun.runs.device import choose_device, choose_precision
from homespun.training.product_rates import WEIGHTS

CELL = re.compile(r"([\d,]+) +(\d+)%")
on_cpu = pytest.mark.skipif(choose_device("auto").value != "cpu", reason="products are measured where a CPU computes")


@pytest.fixture(scope="module")
def lines():
    """What the command prints, from fewer tokens than it takes by itself."""
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(doctor, "_PRODUCT_SECONDS", 0.01)
        assert doctor.main([]) == 0
    return printed.getvalue().splitlines()


def values(lines: list[str], name: str) -> list[str]:
    """What follows `name` in each line that it begins."""
    return [line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")]


def test_choices_are_those_of_a_run(lines):
    """Oracle: the functions by which a run chooses."""
    device = choose_device("auto")
    assert values(lines, "device") == [str(device)]
    assert values(lines, "precision") == [str(choose_precision("auto", device.value))]
    assert values(lines, "threads")[0].startswith(f"{torch.get_num_threads()}: ")
    (instructions,) = values(lines, "instructions")
    assert instructions.startswith(f"{_native.instruction_level()}: ")
    assert all(level in instructions for level in _native.instruction_levels())


def test_every_operation_has_a_backend(lines):
    """Oracle: the table of operations, each of which is named once."""
    (backends,) = values(lines, "backend")
    assert all(len(re.findall(rf"\b{operation}\b", backends)) == 1 for operation in OPERATIONS)


def test_memory_is_measured(lines):
    (memory,), (page,) = values(lines, "memory"), values(lines, "fresh page")
    rates = re.findall(r"([\d.]+) GB/s (?:read|copied)", memory)
    assert len(rates) == 2
    assert all(float(rate) > 0 for rate in rates)
    assert float(page.split(" us ")[0]) > 0


@on_cpu
def test_peaks_are_positive_and_a_precision_without_one_says_why(lines):
    for precision in ("float32", "bfloat16"):
        (peak,) = values(lines, f"peak {precision}")
        assert (float(peak.split(" TFLOP/s: ")[0]) > 0) if "TFLOP/s" in peak else peak.startswith("none: ")
    assert "TFLOP/s" in values(lines, "peak float32")[0]


@on_cpu
def test_products_are_a_table_of_positive_rates(lines):
    """Oracle: three products for each matrix, by kernels and torch, in each precision that the hardware multiplies."""
    num_columns = 2 * len({"float32", choose_precision("auto", "cpu").value})
    for d_in, d_out in WEIGHTS:
        rows = values(lines, f"{d_in} x {d_out},")
        assert [row[:2] for row in rows] == ["y ", "dx", "dW"]
        for row in rows:
            cells = CELL.findall(row)
            assert len(cells) == num_columns
            assert all(int(rate.replace(",", "")) > 0 for rate, _ in cells)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("always [madvise] never\n", "madvise: only where"),
        ("[never] always\n", "never: none"),
        ("[x]\n", "x: a setting"),
    ],
)
def test_huge_pages_are_what_linux_says(tmp_path, content, expected):
    setting = tmp_path / "enabled"
    setting.write_text(content)
    assert doctor.describe_huge_pages(setting).startswith(expected)
    assert doctor.describe_huge_pages(tmp_path / "absent") == "no setting of this system"


def test_last_level_caches_are_added_once(tmp_path):
    """Oracle: a machine described by hand, with two third-level caches, each of two CPUs."""
    for cpu in range(4):
        pair = "0-1" if cpu < 2 else "2-3"
        for index, (level, size, sharers) in enumerate(
            [(1, "48K", str(cpu)), (2, "1024K", str(cpu)), (3, "32768K", pair)]
        ):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, value in {"level": level, "size": size, "shared_cpu_list": sharers}.items():
                (folder / name).write_text(f"{value}\n")
    assert doctor.find_cache_bytes(tmp_path) == 2 * 32 << 20
    (tmp_path / "cpu3/cache/index2/size").write_text("unknown")
    assert doctor.find_cache_bytes(tmp_path) == 2 * 32 << 20
    assert doctor.find_cache_bytes(tmp_path / "absent") == 0
