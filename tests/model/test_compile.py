"""The model under torch.compile, in a process of its own: shape checks and compiled graphs do not go together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import torch
from homespun.model import ModelConfig, TrainingLoss, TransformerLM

torch.manual_seed(0)
model = TransformerLM(ModelConfig(vocab_size=37, context_length=12, d_model=16, num_layers=1, num_heads=4, d_ff=24))
ids = torch.randint(37, (2, 13))

results = []
for loss_of in (TrainingLoss(model), torch.compile(TrainingLoss(model), fullgraph=True, backend=BACKEND)):
    model.zero_grad()
    loss = loss_of(ids[:, :-1], ids[:, 1:])
    loss.backward()
    results.append([loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())])
for eager, compiled in zip(*results, strict=True):
    torch.testing.assert_close(compiled, eager, rtol=1e-4, atol=1e-5)
print("equal")
"""
SOURCE = Path(__file__).resolve().parents[2] / "src"


def run(backend):
    paths = os.pathsep.join(path for path in (str(SOURCE), os.environ.get("PYTHONPATH")) if path)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"BACKEND = {backend!r}\n{SCRIPT}"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(120)
def test_graph_is_whole_and_equals_the_eager_model():
    """Oracle: the eager model, loss and gradients, to float32's rounding; fullgraph refuses any break."""
    result = run("aot_eager")
    assert result.stdout == "equal\n", result.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_compiled_code_equals_the_eager_model():
    """The same through Inductor, which needs a C++ compiler and a minute."""
    result = run("inductor")
    assert result.stdout == "equal\n", result.stderr
