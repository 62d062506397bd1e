"""The assignment's checkpoint interface: `save_checkpoint(model, optimizer, iteration, out)` and back.

Oracle: the assignment's own test: after some AdamW steps, a fresh model and optimizer load the same values.
"""

import torch
from torch import nn

from homespun.checkpoint import load_checkpoint, save_checkpoint


def build(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 10))
    return model, torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8)


def test_checkpointing(tmp_path):
    model, optimizer = build(42)
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        optimizer.zero_grad()
        x, y = (torch.rand(100, generator=generator), torch.rand(10, generator=generator))
        ((model(x) - y) ** 2).sum().backward()
        optimizer.step()
    save_checkpoint(model, optimizer, iteration=10, out=tmp_path / "checkpoint.pt")

    new_model, new_optimizer = build(7)
    assert load_checkpoint(src=tmp_path / "checkpoint.pt", model=new_model, optimizer=new_optimizer) == 10
    for key, value in model.state_dict().items():
        assert torch.equal(new_model.state_dict()[key], value)
    old_state, new_state = optimizer.state_dict(), new_optimizer.state_dict()
    assert old_state["param_groups"] == new_state["param_groups"]
    for index, values in old_state["state"].items():
        for key, value in values.items():
            assert torch.equal(new_state["state"][index][key], value)
