"""Record what a run computes on: versions, machine, choices with their reasons, peak FLOP/s."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from homespun.accounting.machines import find_machine
from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.records import RunDirectory
from homespun.runs.device import Choice
from homespun.typed_json import build_from_json, parse_json

_PRODUCT_SIZE = 1024
"""Rows and columns of the measured product: 2 GFLOP, enough to fill any processor that is in no table."""
_PRODUCT_REPEATS = 100
_PACKAGES = ("homespun", "torch", "numpy", "safetensors")


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak FLOP/s of matrix products on a device, and the source of the figure."""

    flops: float
    """Per second, dense."""

    reason: str

    def __str__(self) -> str:
        return f"{self.flops / 1e12:.3g} TFLOP/s: {self.reason}"


def keep_environment(directory: RunDirectory, device: Choice, precision: Choice) -> Peak:
    """Write the run's environment to a file, and return the peak that is recorded there.

    A resumed run keeps the peak it began with, so that its utilisation refers to one number throughout.

    Raises:
        RunError: environment.json is there and states no peak.
    """
    path = directory.environment
    if not path.exists():
        peak = find_peak(device.value, precision.value)
        write_text_atomically(path, json.dumps(describe_environment(device, precision, peak), indent=2) + "\n")
        return peak
    try:
        return build_from_json(Peak, parse_json(path.read_bytes())["peak_flops"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: states no peak_flops ({error!r}); delete the file to measure it again") from error


def find_peak(device: str, precision: str) -> Peak:
    """The peak of `device`: from the makers' data sheets where it is in the table, else measured.

    A CPU's name does not determine its clock, cores and load, so the best of a few large products is taken as its peak.
    """
    machine = find_machine(device_name(device)) if device == "cuda" else None
    if machine is not None and precision in machine.peak_flops:
        return Peak(flops=machine.peak(precision), reason=f"data sheet of {machine.name}")
    size = f"{_PRODUCT_SIZE:,} x {_PRODUCT_SIZE:,}"
    return Peak(
        flops=_time_product(device, precision),
        reason=f"the best of {_PRODUCT_REPEATS} products of {size} {precision} matrices, timed here",
    )


def device_name(device: str) -> str:
    """The device's name, as far as the operating system has one."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    names = Path("/proc/cpuinfo")
    if device == "cpu" and names.exists():
        for line in names.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_environment(device: Choice, precision: Choice, peak: Peak) -> dict[str, Any]:
    """The content of environment.json: enough to say where a figure comes from."""
    return {
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": {
            "cpu": device_name("cpu"),
            "num_cpus": os.cpu_count() or 1,
            "num_threads": torch.get_num_threads(),
            "device": device_name(device.value),
        },
        "device": asdict(device),
        "precision": asdict(precision),
        "peak_flops": asdict(peak),
    }


def _time_product(device: str, precision: str) -> float:
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    # Zeros would do for the count, but some processors multiply them faster.
    left = torch.linspace(-1, 1, _PRODUCT_SIZE**2, device=device).view(_PRODUCT_SIZE, _PRODUCT_SIZE).to(dtype)
    product = left @ left
    seconds = []
    for _ in range(_PRODUCT_REPEATS):
        _wait_for(device)
        began = time.perf_counter()
        torch.matmul(left, left, out=product)
        _wait_for(device)
        seconds.append(time.perf_counter() - began)
    return 2 * _PRODUCT_SIZE**3 / min(seconds)


def _wait_for(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()
