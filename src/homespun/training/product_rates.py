"""How fast this CPU multiplies the matrices of a training step, by the kernels and by torch."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from homespun import _native

WEIGHTS = ((512, 512), (512, 1344), (1344, 512))
"""Widths of input and output of the matrices in a block of recipes/tinystories-cpu.yaml."""

MAX_TOKENS = 4096
"""Rows of a micro-batch's activations; fewer on a slow processor."""

Library = Literal["kernels", "torch"]

_SECONDS_PER_PRODUCT = 0.02
_MIN_CALLS = 2
"""The first call of a shape also allocates memory and wakes threads."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """One of the three products that a weight takes part in: two float32 matrices, each as it lies or transposed."""

    name: str
    left: Tensor
    transposes_left: bool
    right: Tensor
    transposes_right: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        return self.left.shape[self.transposes_left], self.right.shape[not self.transposes_right]

    @property
    def num_flops(self) -> int:
        """A multiplication and an addition for each element of the result and of the inner dimension."""
        num_rows, num_columns = self.shape
        return 2 * num_rows * num_columns * self.left.shape[not self.transposes_left]

    def by_kernels(self, out: Tensor, precision: str) -> Callable[[], None]:
        """What writes the product to `out`. For bfloat16, the kernels round the matrices as they read them."""
        kernels = _native.Kernels(torch.get_num_threads())
        left, right, result, rounds = self.left.numpy(), self.right.numpy(), out.numpy(), precision == "bfloat16"
        return lambda: kernels.multiply(
            left, self.transposes_left, right, self.transposes_right, result, False, bfloat16=rounds
        )

    def by_torch(self, out: Tensor, precision: str) -> Callable[[], object]:
        """What writes the product to `out`, in `precision`. For bfloat16, the matrices are rounded here, once."""
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        left, right, result = self.left.to(dtype), self.right.to(dtype), out.to(dtype)
        left, right = left.T if self.transposes_left else left, right.T if self.transposes_right else right
        return lambda: torch.mm(left, right, out=result)


def list_products(num_tokens: int) -> list[Product]:
    """Return the products of each weight in a training step: forward, and the gradients of its input and of itself."""
    return [product for d_in, d_out in WEIGHTS for product in _products_of(d_in, d_out, num_tokens)]


def _products_of(d_in: int, d_out: int, num_tokens: int) -> Iterator[Product]:
    x, weight, dy = (_numbers(*shape) for shape in ((num_tokens, d_in), (d_out, d_in), (num_tokens, d_out)))
    for use, left, transposes_left, right, transposes_right in (
        ("y = x W^T", x, False, weight, True),
        ("dx = dy W", dy, False, weight, False),
        ("dW = dy^T x", dy, True, x, False),
    ):
        yield Product(
            name=f"{d_in} x {d_out}, {use}",
            left=left,
            transposes_left=transposes_left,
            right=right,
            transposes_right=transposes_right,
        )


def _numbers(num_rows: int, num_columns: int) -> Tensor:
    # Zeros would do for the count, but some processors multiply them faster.
    return torch.linspace(-1, 1, num_rows * num_columns).view(num_rows, num_columns)


def measure_products(products: Sequence[Product], library: Library, precision: str) -> list[float]:
    """Return the FLOP/s of each product, on as many threads as torch uses."""
    rates = []
    for product in products:
        out = torch.zeros(product.shape)
        multiply = product.by_kernels(out, precision) if library == "kernels" else product.by_torch(out, precision)
        rates.append(product.num_flops / _best_seconds(multiply))
    return rates


def affordable_tokens(seconds: float, rates: Sequence[float]) -> int:
    """Return for how many tokens, a power of two up to `MAX_TOKENS`, measuring at these FLOP/s takes `seconds`."""
    flops_per_token = sum(3 * 2 * d_in * d_out for d_in, d_out in WEIGHTS)
    seconds_per_token = sum(_MIN_CALLS * flops_per_token / rate for rate in rates)
    num_tokens = MAX_TOKENS
    while num_tokens > 1 and num_tokens * seconds_per_token > seconds:
        num_tokens //= 2
    return num_tokens


def _best_seconds(work: Callable[[], object]) -> float:
    """The shortest time of several calls: other processes can only prolong one."""
    began = time.perf_counter()
    seconds: list[float] = []
    while len(seconds) < _MIN_CALLS or time.perf_counter() - began < _SECONDS_PER_PRODUCT:
        call = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - call)
    return min(seconds)
