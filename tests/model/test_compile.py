"""The model under torch.compile, in a process of its own: shape checks and compiled graphs do not go together."""

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


@pytest.mark.timeout(120)
def test_graph_is_whole_and_equals_the_eager_model(run_without_hook):
    """Oracle: the eager model, loss and gradients, to float32's rounding; fullgraph refuses any break."""
    result = run_without_hook(f"BACKEND = 'aot_eager'\n{SCRIPT}")
    assert result == "equal\n"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_compiled_code_equals_the_eager_model(run_without_hook):
    """The same through Inductor, which needs a C++ compiler and a minute."""
    result = run_without_hook(f"BACKEND = 'inductor'\n{SCRIPT}")
    assert result == "equal\n"
