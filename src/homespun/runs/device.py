"""Where to compute and in which format, each choice with its reason, and whether the run fits there."""

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import torch

from homespun.accounting.totals import parameter_shapes
from homespun.errors import ConfigError
from homespun.kernels import BFLOAT16_IN_HARDWARE, kernel_threads, num_threads
from homespun.recipe.config import Device, Precision, RunConfig

_BYTES_PER_ID = 8
"""Ids reach the device as int64, inputs and targets each."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen for one field, and why."""

    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.value}: {self.reason}"


def choose_device(asked: Device) -> Choice:
    """Return the device to compute on, a function of the request and the machine alone.

    Raises:
        ConfigError: a device is asked for that this machine, or this build of torch, does not have.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        if available["cuda"]:
            return Choice(value="cuda", reason=f"the fastest here, {torch.cuda.get_device_name()}")
        if available["mps"]:
            return Choice(value="mps", reason="the fastest here, Apple's GPU")
        return Choice(value="cpu", reason="neither a CUDA GPU nor Apple's is visible to torch")
    if not available[asked]:
        raise ConfigError(
            f"execution.device = {asked!r}, but torch {torch.__version__} sees no such device here; "
            "`homespun doctor` lists what it sees; execution.device: auto takes what there is"
        )
    return Choice(value=asked, reason="the recipe says so")


def choose_precision(asked: Precision, device: str) -> Choice:
    """Return the format of matrix products on `device`.

    Hardware flags decide, not a timing, so that a resumed run makes the same choice. Weights, their gradients and
    the optimizer's state are float32 in either case.
    """
    if asked != "auto":
        return Choice(value=asked, reason="the recipe says so")
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice(value="bfloat16", reason="this GPU has bfloat16 matrix units")
        return Choice(value="float32", reason="this GPU has no bfloat16 matrix units")
    if device == "mps":
        return Choice(value="float32", reason="bfloat16 on Apple's GPU is not faster and has given NaN losses")
    flag = next((flag for flag in _BFLOAT16_FLAGS if torch.cpu.get_capabilities().get(flag, False)), None)
    if flag:
        return Choice(value="bfloat16", reason=f"this CPU multiplies bfloat16 matrices in hardware ({flag})")
    return Choice(value="float32", reason="this CPU has no bfloat16 matrix instructions (amx_bf16 or avx512_bf16)")


# Fastest first. Arm's "bf16" is not among them: torch's Arm builds do not all have kernels that use it.
_BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")


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


def resolve(config: RunConfig) -> tuple[RunConfig, Choice, Choice]:
    """Return the run with no "auto" left, and what was chosen for device and precision.

    Raises:
        ConfigError: the device asked for is not there.
    """
    device = choose_device(config.execution.device)
    precision = choose_precision(config.execution.precision, device.value)
    execution = replace(config.execution, device=device.value, precision=precision.value)
    return replace(config, execution=execution), device, precision


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """The context in which forward passes run: matrix products in `precision`, the rest in float32."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def compute_threads(
    device: str, precision: str, threads: int | None = None, *, compiles: bool = False
) -> Iterator[int]:
    """Compute on `threads` CPU threads within the block, by default on as many as torch uses; yield their number.

    Where the kernels do what there is to do, torch has one thread: those that it has beside spin in the kernels' way.
    """
    if device == "cpu" and not compiles and (precision == "float32" or BFLOAT16_IN_HARDWARE):
        with kernel_threads(threads):
            yield num_threads()
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield threads or before
    finally:
        torch.set_num_threads(before)


def check_memory(config: RunConfig) -> None:
    """Refuse a run that does not fit into this machine's memory, before anything is allocated.

    Only what is certain counts: weights, gradients and optimizer state in float32, the ids of a batch, and one bfloat16
    output of each block for a micro-batch. `homespun estimate` gives the whole figure.

    Args:
        config: Resolved: no "auto" is left in it.

    Raises:
        ConfigError: the least that it needs is more than the device has.
    """
    available = memory_of(config.execution.device)
    needed = _least_bytes(config)
    if available is not None and needed > available:
        raise ConfigError(
            f"model, training.batch_size = {config.training.batch_size} and execution.micro_batch = "
            f"{config.execution.micro_batch} need at least {needed / 2**30:,.1f} GiB of memory; "
            f"{config.execution.device} has {available / 2**30:,.1f} GiB; see `homespun estimate RECIPE`"
        )


def _least_bytes(config: RunConfig) -> int:
    def numbers_with(num_layers: int, value_embeddings: int) -> int:
        shapes = parameter_shapes(replace(config.model, num_layers=num_layers, value_embeddings=value_embeddings))
        return 2 * sum(map(prod, shapes.values())) + config.optim.update_cost(shapes).state_size

    # Blocks are alike, and so are value embeddings: models of few give any number, as listing 10**9 would never end.
    num_layers, num_tables = config.model.num_layers, config.model.value_embeddings
    first = min(num_tables, 1)
    numbers = numbers_with(1, first)
    numbers += (num_layers - 1) * (numbers_with(2, first) - numbers)
    if num_tables > 1:
        numbers += (num_tables - 1) * (numbers_with(3, 2) - numbers_with(3, 1))
    positions = config.execution.micro_batch * config.model.context_length
    activations = 2 * positions * config.model.num_layers * config.model.d_model
    batch = 2 * _BYTES_PER_ID * config.tokens_per_step
    return 4 * numbers + activations + batch


def memory_of(device: str) -> int | None:
    """Bytes of memory of a device; None where the system does not say."""
    if device == "cuda":
        return torch.cuda.get_device_properties(0).total_memory
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
