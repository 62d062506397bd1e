"""The model against transformers' LlamaForCausalLM with the same weights, whose RoPE tables are float32 like ours."""

import pytest
import torch

from homespun.model import ModelConfig, TrainingLoss, TransformerLM, cross_entropy

pytestmark = pytest.mark.peers

CONFIG = ModelConfig(vocab_size=61, context_length=24, d_model=32, num_layers=3, num_heads=4, d_ff=48, rope_theta=500.0)


def halves_from_pairs(weight: torch.Tensor, num_heads: int) -> torch.Tensor:
    """Reorder a query or key matrix's rows: Llama pairs channel i with i + K/2, where ours pairs 2i with 2i + 1."""
    d_head = weight.shape[0] // num_heads
    order = torch.arange(d_head).view(-1, 2).T.flatten()
    return weight.view(num_heads, d_head, -1)[:, order].reshape(weight.shape)


def llama_name_of(name: str) -> str:
    for ours, theirs in (
        ("token_embeddings", "model.embed_tokens"),
        ("layers.", "model.layers."),
        (".attn.output_proj", ".self_attn.o_proj"),
        (".attn.", ".self_attn."),
        (".ffn.w1", ".mlp.gate_proj"),
        (".ffn.w2", ".mlp.down_proj"),
        (".ffn.w3", ".mlp.up_proj"),
        (".ln1", ".input_layernorm"),
        (".ln2", ".post_attention_layernorm"),
        ("ln_final", "model.norm"),
    ):
        name = name.replace(ours, theirs)
    return name


def as_llama(name: str, value: torch.Tensor) -> torch.Tensor:
    """A tensor of our model, or a gradient of it, as Llama holds it."""
    return halves_from_pairs(value, CONFIG.num_heads) if "q_proj" in name or "k_proj" in name else value


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_logits_and_gradients_equal_llamas(dtype, tolerance):
    """Oracle: transformers, sdpa attention. The tolerance is a fraction of the greatest element of each tensor."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = TransformerLM(CONFIG).to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ln" in name:  # gains of one would hide a gain in the wrong place
                parameter.uniform_(0.5, 1.5)
    llama = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=CONFIG.vocab_size,
            hidden_size=CONFIG.d_model,
            intermediate_size=CONFIG.d_ff,
            num_hidden_layers=CONFIG.num_layers,
            num_attention_heads=CONFIG.num_heads,
            max_position_embeddings=CONFIG.context_length,
            rms_norm_eps=CONFIG.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": CONFIG.rope_theta},
            tie_word_embeddings=False,
            attn_implementation="sdpa",
        )
    ).to(dtype)
    llama.load_state_dict({llama_name_of(name): as_llama(name, value) for name, value in model.state_dict().items()})
    token_ids = torch.randint(CONFIG.vocab_size, (3, CONFIG.context_length))
    targets = torch.randint(CONFIG.vocab_size, token_ids.shape)

    ours, theirs = model(token_ids), llama(token_ids).logits
    assert_close_to_largest(ours, theirs, tolerance)
    cross_entropy(ours, targets).backward()
    torch.nn.functional.cross_entropy(theirs.flatten(0, 1), targets.flatten()).backward()
    llama_gradients = {name: parameter.grad for name, parameter in llama.named_parameters()}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert_close_to_largest(as_llama(name, parameter.grad), llama_gradients[llama_name_of(name)], tolerance)

    # The path that training takes, with the head and the loss in one.
    gradients = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    TrainingLoss(model)(token_ids, targets).backward()
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert_close_to_largest(parameter.grad, gradient, tolerance)


def assert_close_to_largest(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * expected.abs().max().item())
