"""How parameters begin: truncated normals whose width depends on the layer's shape."""

from math import sqrt

import torch
from torch import nn


def linear_std(in_features: int, out_features: int) -> float:
    """The standard deviation that keeps variance steady through a linear layer, forward and backward on average.

        sqrt(2 / (in_features + out_features))

    Source: Glorot & Bengio 2010, eq. 16.
    """
    return sqrt(2 / (in_features + out_features))


def fill_truncated_normal(weight: torch.Tensor, std: float, generator: torch.Generator | None = None) -> None:
    """Draw every element of `weight` from a normal of mean 0, cut at three standard deviations."""
    nn.init.trunc_normal_(weight, std=std, a=-3 * std, b=3 * std, generator=generator)


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all parameters of `model` afresh, in the order of `model.modules()`.

    Layers draw their own parameters when they are built, from torch's global generator. This is for a model built
    without values (on the device "meta", then `to_empty`), or one whose values shall come from a generator of its own.
    """
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset(generator)
