"""Where to compute and in which format, each choice with the sentence that explains it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch

from homespun.errors import ConfigError
from homespun.recipe.config import Device, Precision, RunConfig


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen for one field, and why."""

    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.value}: {self.reason}"


def choose_device(asked: Device) -> Choice:
    """The device to compute on: a function of what is asked and of the machine alone.

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
            "`homespun doctor` tells what it sees; execution.device: auto takes what there is"
        )
    return Choice(value=asked, reason="the recipe says so")


def choose_precision(asked: Precision, device: str) -> Choice:
    """The format of matrix products on `device`.

    Hardware flags decide, never a stopwatch, so that a run that resumes decides alike. Weights, their gradients and
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


def resolve(config: RunConfig) -> tuple[RunConfig, Choice, Choice]:
    """The same run with no "auto" left, and what was chosen for device and precision.

    Raises:
        ConfigError: the device asked for is not there.
    """
    device = choose_device(config.execution.device)
    precision = choose_precision(config.execution.precision, device.value)
    execution = replace(config.execution, device=device.value, precision=precision.value)
    return replace(config, execution=execution), device, precision


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """The context in which forward passes run: matrix products in `precision`, everything delicate in float32."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")
