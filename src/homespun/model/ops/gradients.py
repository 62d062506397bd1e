"""Gradients that backward passes add to where the parameters keep them, token by token.

autograd adds the gradients of micro-batches as whole tensors, so that their size changes the last bits, and needs
memory for one more gradient of each parameter. With `gradient_sum` a backend continues the sum that earlier
micro-batches began: then no bit depends on how a batch is divided.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from homespun.kernels import empty_like, is_for_kernels

_current: ContextVar["GradientSums | None"] = ContextVar("gradient_sums", default=None)


class GradientSums:
    """The sums of a batch's gradients.

    The first operation that uses a parameter adds to its `grad`; another, as the head does with a tied table, has a sum
    of its own, which `finish` adds: so each sum runs over the tokens in their order, however the batch is divided.
    """

    def __init__(self) -> None:
        self._first: dict[Tensor, str] = {}
        self._others: dict[tuple[Tensor, str], Tensor] = {}
        self._exact: dict[Tensor, Tensor] = {}

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Within the block, backward passes add to these sums, and return no gradients of those parameters."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def of(self, parameter: Tensor, operation: str) -> Tensor:
        """Return the sum that `operation` adds its gradients of `parameter` to."""
        if self._first.setdefault(parameter, operation) == operation:
            if parameter.grad is None:
                parameter.grad = _zeros_like(parameter)
            return parameter.grad
        key = (parameter, operation)
        if key not in self._others:
            self._others[key] = _zeros_like(parameter)
        return self._others[key]

    def exact_of(self, parameter: Tensor, operation: str) -> Tensor:
        """Return a sum in float64 that `operation` adds its gradients of `parameter` to, in exact terms."""
        self.of(parameter, operation)
        if parameter not in self._exact:
            self._exact[parameter] = torch.zeros_like(parameter, dtype=torch.float64)
        return self._exact[parameter]

    def finish(self) -> None:
        """Add what belongs together, once a batch is through."""
        for parameter, gradient in self._exact.items():
            assert parameter.grad is not None, "exact_of made it"
            parameter.grad += gradient
            gradient.zero_()
        for (parameter, _), gradient in self._others.items():
            assert parameter.grad is not None, "the first operation of a parameter made it"
            parameter.grad += gradient
            gradient.zero_()


def gradient_sum(parameter: Tensor, operation: str) -> Tensor | None:
    """Return where the backward pass of `operation` is to add its gradient of `parameter`; None: return it to autograd.

    For trained parameters, those of a hook excepted: a hook is to see the gradient.
    """
    sums = _sums_for(parameter)
    return None if sums is None else sums.of(parameter, operation)


def exact_gradient_sum(parameter: Tensor, operation: str) -> Tensor | None:
    """`gradient_sum` in float64, for an operation whose terms are rounded so that their sum is exact in any order."""
    sums = _sums_for(parameter)
    return None if sums is None else sums.exact_of(parameter, operation)


def _sums_for(parameter: Tensor) -> GradientSums | None:
    sums = _current.get()
    if sums is None or not (parameter.is_leaf and parameter.requires_grad) or _has_hooks(parameter):
        return None
    return sums


def _zeros_like(parameter: Tensor) -> Tensor:
    return empty_like(parameter).zero_() if is_for_kernels(parameter) else torch.zeros_like(parameter)


def _has_hooks(parameter: Tensor) -> bool:
    # Private, but there is no public way to ask.
    return bool(parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None))
