"""A small model of every kind of tensor, with an optimizer that has taken steps."""

import pytest
import torch
from torch import nn


class SmallModel(nn.Module):
    """Two float32 matrices, a tied one, a bfloat16 vector, an integer buffer and a scalar."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Linear(5, 7, bias=False)
        self.head = nn.Linear(5, 7, bias=False)
        self.head.weight = self.table.weight
        self.inner = nn.Linear(5, 3)
        self.gain = nn.Parameter(torch.ones(5, dtype=torch.bfloat16))
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("counts", torch.arange(4) + seed)
        for parameter in self.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x).sum() * self.scale + self.inner(x * self.gain).square().sum()


def build(seed: int = 0, num_steps: int = 3):
    """The model and its AdamW, `num_steps` along."""
    model = SmallModel(seed)
    gains = [model.gain, model.scale]
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    biases = [model.inner.bias]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.1}, {"params": gains + biases, "weight_decay": 0.0}],
        lr=1e-2,
        betas=(0.9, 0.95),
        foreach=False,
    )
    train(model, optimizer, num_steps)
    return model, optimizer


def train(model, optimizer, num_steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(num_steps):
        optimizer.zero_grad()
        model(torch.randn(2, 5, generator=generator)).backward()
        optimizer.step()


@pytest.fixture
def trained():
    return build()


@pytest.fixture
def fresh():
    return build(seed=9, num_steps=0)
