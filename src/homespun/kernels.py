"""The CPU's kernels, `crates/kernels`, as Python calls them: on how many threads, on whose memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from homespun import _native

MIN_REUSED = 2**14
"""Numbers of a tensor from which on its memory is kept for the next one of its size: smaller ones come from a page or
two that the allocator has at hand."""

_num_threads: int | None = None


@contextmanager
def kernel_threads(num_threads: int | None = None) -> Iterator[None]:
    """Within the block, kernels run on `num_threads`, by default as many as torch uses, and torch on one.

    torch's threads spin for a while after each of its operations, on the cores that the kernels need next. What is left
    to torch beside the kernels is small.
    """
    global _num_threads  # torch's own number is global too
    before, torch_before = _num_threads, torch.get_num_threads()
    _num_threads = num_threads or before or torch_before
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _num_threads = before
        torch.set_num_threads(torch_before)


def kernels() -> _native.Kernels:
    """Return the kernels of this process: on the threads of `kernel_threads`, or else on as many as torch uses."""
    # Of this process: a fork has no threads but its own.
    return _kernels_of(num_threads(), os.getpid())


def num_threads() -> int:
    """Return on how many threads kernels run."""
    return _num_threads or torch.get_num_threads()


@cache
def _kernels_of(num_threads: int, _process: int) -> _native.Kernels:
    return _native.Kernels(num_threads)


def is_for_kernels(*tensors: Tensor) -> bool:
    """Whether kernels can work on the memory of all of them: contiguous float32 on the CPU."""
    return all(x.device.type == "cpu" and x.dtype == torch.float32 and x.is_contiguous() for x in tensors)


BFLOAT16_IN_HARDWARE = _native.instruction_level() == "avx512bf16" and not torch.cpu.get_capabilities().get("amx_bf16")
"""Whether kernels multiply bfloat16 numbers by the fastest instructions there are; AMX, which is faster, is torch's."""


def uses_bfloat16() -> bool:
    """Whether matrices are to be multiplied in bfloat16: under torch's autocast."""
    return torch.is_autocast_enabled("cpu")


def as_array(x: Tensor) -> Any:
    """Return a NumPy array of the tensor's memory."""
    return x.detach().numpy()


def empty(*shape: int) -> Tensor:
    """Return a float32 tensor without values, whose memory is used again once nothing refers to it."""
    size = 1
    for length in shape:
        size *= length
    if size < MIN_REUSED:
        return torch.empty(shape)
    return torch.from_numpy(_native.uninitialized(size)).view(shape)


def empty_like(x: Tensor) -> Tensor:
    """Return such a tensor of the shape of `x`."""
    return empty(*x.shape)
