import pytest

from homespun.accounting.machines import MACHINES, Machine, find_machine, get_machine
from homespun.errors import ConfigError
from refusals import refuses


@pytest.mark.parametrize(
    ("device_name", "bfloat16", "memory_gb"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12, 80),
        ("NVIDIA A100-SXM4-40GB", 312e12, 40),
        ("NVIDIA A10G", 70e12, 24),
        ("NVIDIA A10", 125e12, 24),
        ("NVIDIA H100 80GB HBM3", 989.4e12, 80),
        ("NVIDIA H100 PCIe", 756e12, 80),
        ("NVIDIA H100 NVL", 835e12, 94),
        ("NVIDIA H200", 989.4e12, 141),
        ("NVIDIA B200", 2250e12, 180),
        ("NVIDIA GeForce RTX 4090", 165.2e12, 24),
        ("rtx 4090", 165.2e12, 24),
        ("4090", 165.2e12, 24),
    ],
)
def test_names_that_drivers_report(device_name, bfloat16, memory_gb):
    """Oracle: the makers' data sheets, dense."""
    machine = find_machine(device_name)
    assert machine is not None
    assert machine.peak("bfloat16") == pytest.approx(bfloat16)
    assert machine.memory_bytes == memory_gb * 10**9


@pytest.mark.parametrize(
    "device_name",
    ["", "cpu", "NVIDIA A1000", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"],
)
def test_names_that_only_resemble_one(device_name):
    assert find_machine(device_name) is None


def test_every_entry_finds_itself():
    for name in MACHINES:
        assert get_machine(name).name == name


def test_unknown_machine_is_refused_with_what_to_do():
    with refuses(ConfigError, "abacus", "A100", "--peak-tflops"):
        get_machine("abacus")


def test_precision_without_units_is_refused():
    with refuses(ConfigError, "bfloat16", "V100", "float32, float16"):
        get_machine("V100").peak("bfloat16")


def test_a_measured_machine():
    assert Machine(name="this CPU", memory_bytes=10**9, peak_flops={"float32": 2e11}).peak("float32") == 2e11
    with refuses(ConfigError, "peak_flops", 0.0):
        Machine(name="this CPU", memory_bytes=10**9, peak_flops={"float32": 0.0})
