"""The most FLOP/s that a device can do, which a run's utilisation refers to."""

import platform
import time
from dataclasses import dataclass

import torch

from homespun import _native
from homespun.accounting.machines import find_machine
from homespun.kernels import num_threads
from homespun.runs.device import device_name

_PRODUCT_SIZE = 1024
"""Rows and columns of the measured product: 2 GFLOP, enough to fill any processor that is in no table."""
_PRODUCT_REPEATS = 100


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak FLOP/s of matrix products on a device, and the source of the figure."""

    flops: float
    """Per second, dense."""

    reason: str

    def __str__(self) -> str:
        return f"{self.flops / 1e12:.3g} TFLOP/s: {self.reason}"


def find_peak(device: str, precision: str) -> Peak:
    """The peak of `device`: from the makers' data sheets where it is in the table, else measured.

    A CPU's name does not determine its clock and cores, so its multiply-adds are timed, on as many threads as kernels
    run on. What is in no table and has units that they do not use is given the best of a few large products.
    """
    machine = find_machine(device_name(device)) if device == "cuda" else None
    if machine is not None and precision in machine.peak_flops:
        return Peak(flops=machine.peak(precision), reason=f"data sheet of {machine.name}")
    if device == "cpu" and _multiplies_in_registers(precision):
        return _measure_multiply_adds(precision, num_threads())
    size = f"{_PRODUCT_SIZE:,} x {_PRODUCT_SIZE:,}"
    return Peak(
        flops=_time_product(device, precision),
        reason=f"the best of {_PRODUCT_REPEATS} products of {size} {precision} matrices, timed here",
    )


def find_core_peak(precision: str) -> Peak | None:
    """The peak of one core of this processor; None where `find_peak` times products."""
    return _measure_multiply_adds(precision, 1) if _multiplies_in_registers(precision) else None


def _multiplies_in_registers(precision: str) -> bool:
    """Whether this processor multiplies matrices with the instructions that `_native` measures.

    Intel's AMX and Apple's matrix units are faster, and so are the bfloat16 instructions of other ARM processors.
    """
    if "avx2" in _native.instruction_levels():
        return precision == "float32" or not torch.cpu.get_capabilities().get("amx_bf16", False)
    is_arm = platform.machine().lower() in {"arm64", "aarch64"}
    return is_arm and platform.system() != "Darwin" and precision == "float32"


def _measure_multiply_adds(precision: str, num_threads: int) -> Peak:
    threads = "1 thread" if num_threads == 1 else f"{num_threads} threads"
    dots = precision == "bfloat16" and _native.instruction_level().endswith("bf16")
    flops = _native.measure_bfloat16_dots(num_threads) if dots else None
    if flops is not None:
        return Peak(flops=flops, reason=f"bfloat16 dot products on {threads}, measured here")
    # A level that adds bfloat16 instructions has no more for float32. None that HOMESPUN_INSTRUCTIONS leaves unused.
    levels = _native.instruction_levels()
    levels = levels[: levels.index(_native.instruction_level()) + 1]
    levels = [level for level in levels if not level.endswith("bf16")]
    # All of them: some processors lower their clock for AVX-512.
    rates = {level: _native.measure_multiply_adds(level, num_threads) for level in levels}
    level = max(rates, key=lambda level: rates[level])
    reason = f"float32 multiply-adds ({level}) on {threads}, measured here"
    if precision == "bfloat16":
        reason += "; this CPU has no bfloat16 dot products"
    return Peak(flops=rates[level], reason=reason)


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
