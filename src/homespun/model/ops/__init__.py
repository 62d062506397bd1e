"""The operations that a model is computed with, and which implementation runs.

`reference` defines each operation; a backend may implement it faster. `BACKENDS` is the table of operation x backend:
a call runs on the first row that implements the operation on the tensor's device. To add a backend, write its file and
add its row; tests/model/test_ops.py then compares it with the reference, values and gradients.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import ParamSpec

import torch
from torch import Tensor

from homespun.config import check_choice
from homespun.kernels import BFLOAT16_IN_HARDWARE
from homespun.model.ops import eager, native, reference

P = ParamSpec("P")

CPU = frozenset({"cpu"})
EVERY_DEVICE = frozenset()


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A row of the table: a module with a function for each of `operations`."""

    name: str
    module: ModuleType
    operations: Mapping[str, frozenset[str]]
    """The device types on which each operation is used; `EVERY_DEVICE` for all."""

    dtypes: frozenset[torch.dtype] | None = None
    """The types of numbers that it computes with; None: all."""

    follows_autocast: bool = True
    """Whether it multiplies matrices in the type that torch.autocast asks for."""

    traceable: bool = False
    """Whether torch.compile can trace it, or has it registered as a custom operator."""

    def implements(self, operation: str, x: Tensor, options: Collection[str] = ()) -> bool:
        """Whether it has `operation` for tensors like `x`, with these optional arguments."""
        if self.dtypes is not None and x.dtype not in self.dtypes:
            return False
        if not self.follows_autocast and torch.is_autocast_enabled(x.device.type):
            return False
        devices = self.operations.get(operation)
        if devices is None or (devices != EVERY_DEVICE and x.device.type not in devices):
            return False
        if not options or self.module is reference:
            return True  # without asking for a signature, which torch.compile cannot trace
        return signature(getattr(self.module, operation)).parameters.keys() >= {*options}


OPERATIONS = (
    "linear",
    "embedding",
    "rms_norm",
    "rotate_pairs",
    "causal_attention",
    "silu",
    "silu_gate",
    "relu_squared",
    "scaled_sum",
    "linear_cross_entropy",
    "block",
)

EXACT_OPERATIONS = frozenset({"relu_squared", "scaled_sum"})
"""Those that have the same bits for any micro-batch and number of threads without a kernel of our own."""

BACKENDS = (
    Backend(
        name="native",  # Rust
        module=native,
        operations={operation: CPU for operation in OPERATIONS if hasattr(native, operation)},
        dtypes=frozenset({torch.float32}),
        follows_autocast=BFLOAT16_IN_HARDWARE,
    ),
    Backend(
        name="eager",
        module=eager,
        operations={
            "causal_attention": CPU,  # blocks of scores that fit the cache
            "linear_cross_entropy": CPU,  # tiles of logits
            "silu_gate": EVERY_DEVICE,  # keeps two tensors for the backward pass, not three
            "rotate_pairs": EVERY_DEVICE,  # complex products
            "scaled_sum": CPU,  # gradients of the scales as exact sums
        },
    ),
    Backend(
        name="reference",
        module=reference,
        operations=dict.fromkeys(OPERATIONS, EVERY_DEVICE),
        traceable=True,
    ),
)
"""Fastest first; the reference, which implements every operation on every device, is last."""

# A context variable, not a global: a choice ends with its block and does not reach other threads.
_order: ContextVar[tuple[Backend, ...]] = ContextVar("backends", default=BACKENDS)


@contextmanager
def use_backends(*names: str) -> Iterator[None]:
    """Use only the named backends within the block, in this order, and the reference for what they do not implement.

    Raises:
        ConfigError: there is no backend of that name.
    """
    by_name = {backend.name: backend for backend in BACKENDS}
    for name in names:
        check_choice("backend", name, by_name)
    token = _order.set((*(by_name[name] for name in names), by_name["reference"]))
    try:
        yield
    finally:
        _order.reset(token)


def choose_backend(operation: str, x: Tensor, options: Collection[str] = ()) -> Backend:
    """Return the backend that `operation` runs on when its first argument is `x`.

    Args:
        operation: One of `OPERATIONS`.
        x: Its device and type of numbers count.
        options: Optional arguments that the call has, such as `softcap`; not every backend takes all.

    Under torch.compile that is the reference, unless a backend is traceable: the compiler fuses the reference itself
    and would unroll the loops of `eager`.
    """
    compiling = torch.compiler.is_compiling()
    return next(
        backend
        for backend in _order.get()
        if (backend.traceable or not compiling) and backend.implements(operation, x, options)
    )


def is_fused(operation: str, x: Tensor) -> bool:
    """Whether a backend does in one call what `operation` combines; if not, its parts are called one by one."""
    return choose_backend(operation, x).name != "reference"


def _dispatched(definition: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Return the operation that `definition` defines, run by the backend that its first argument selects."""
    operation = definition.__name__

    @wraps(definition)
    def run(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        x = args[0]
        assert isinstance(x, Tensor)
        # An option that is None is as good as not given, also to a backend that does not have it.
        given = {name: value for name, value in kwargs.items() if value is not None}
        return getattr(choose_backend(operation, x, given).module, operation)(*args, **given)

    return run


linear = _dispatched(reference.linear)
embedding = _dispatched(reference.embedding)
rms_norm = _dispatched(reference.rms_norm)
causal_attention = _dispatched(reference.causal_attention)
linear_cross_entropy = _dispatched(reference.linear_cross_entropy)
silu = _dispatched(reference.silu)
silu_gate = _dispatched(reference.silu_gate)
relu_squared = _dispatched(reference.relu_squared)
scaled_sum = _dispatched(reference.scaled_sum)
rotate_pairs = _dispatched(reference.rotate_pairs)
block = _dispatched(reference.block)
