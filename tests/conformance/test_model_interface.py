"""The assignment's interfaces of model, loss and optimizers, called as its adapters call them."""

import torch

from homespun.model import (
    CausalMultiHeadSelfAttention,
    Embedding,
    Linear,
    ModelConfig,
    RMSNorm,
    RotaryPositionalEmbedding,
    SwiGLU,
    TransformerBlock,
    TransformerLM,
    cross_entropy,
    perplexity,
    scaled_dot_product_attention,
    silu,
    softmax,
)
from homespun.optim import SGD, AdamW, clip_gradients, cosine_schedule


def test_layers_are_built_and_called_by_position():
    """Oracle: the assignment's public names; weights are loaded under the assignment's names."""
    linear = Linear(4, 6, "cpu", torch.float32)
    linear.load_state_dict({"weight": torch.ones(6, 4)})
    assert linear(torch.ones(2, 3, 4)).tolist() == torch.full((2, 3, 6), 4.0).tolist()
    embedding = Embedding(5, 4, "cpu", torch.float32)
    assert embedding(torch.tensor([[0, 4]])).shape == (1, 2, 4)
    assert RMSNorm(4, 1e-5, "cpu", torch.float32)(torch.ones(2, 4)).shape == (2, 4)
    swiglu = SwiGLU(4, 8)
    swiglu.load_state_dict(
        {"w1.weight": torch.ones(8, 4), "w2.weight": torch.ones(4, 8), "w3.weight": torch.ones(8, 4)}
    )
    assert swiglu(torch.ones(4)).shape == (4,)
    assert silu(torch.zeros(3)).tolist() == [0, 0, 0]
    assert softmax(torch.zeros(2, 4), dim=-1)[0].tolist() == [0.25] * 4


def test_attention_takes_any_batch_dimensions_and_a_boolean_mask():
    q, k, v = torch.randn(2, 3, 4, 8), torch.randn(2, 3, 6, 8), torch.randn(2, 3, 6, 5)
    mask = torch.ones(2, 3, 4, 6, dtype=torch.bool)
    assert scaled_dot_product_attention(Q=q, K=k, V=v, mask=mask).shape == (2, 3, 4, 5)
    rope = RotaryPositionalEmbedding(theta=10_000.0, d_k=8, max_seq_len=16, device="cpu")
    positions = torch.arange(6).unsqueeze(0)
    assert rope(torch.randn(2, 6, 8), positions).shape == (2, 6, 8)
    x = torch.randn(2, 6, 16)
    assert CausalMultiHeadSelfAttention(16, 2)(x).shape == x.shape
    assert CausalMultiHeadSelfAttention(16, 2, rope)(x, positions).shape == x.shape


def test_model_takes_shorter_inputs_and_the_loss_any_batch():
    config = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=1, num_heads=2, d_ff=16, rope_theta=1e4)
    assert TransformerBlock(config)(torch.randn(2, 8, 8)).shape == (2, 8, 8)
    model = TransformerLM(config)
    logits, targets = model(torch.tensor([[1, 2, 3]])), torch.tensor([[2, 3, 4]])
    assert logits.shape == (1, 3, 11)
    torch.testing.assert_close(perplexity(cross_entropy(logits, targets)), cross_entropy(logits[0], targets[0]).exp())


def test_optimizers_schedule_and_clipping():
    parameter = torch.nn.Parameter(torch.ones(3))
    for optimizer in (
        SGD([parameter], lr=1e-1),
        AdamW([parameter], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
    ):
        assert isinstance(optimizer, torch.optim.Optimizer)
        parameter.grad = torch.ones(3)
        clip_gradients([parameter], max_norm=1e-2)
        optimizer.step()
    assert cosine_schedule(t=0, alpha_max=1.0, alpha_min=0.1, T_w=7, T_c=21) == 0.0
