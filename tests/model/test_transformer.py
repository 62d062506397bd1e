"""The model: its names, its sizes, its switches, its causality, its cache, its precision."""

import copy
from dataclasses import replace
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from homespun.errors import ConfigError, DataError
from homespun.model import ModelConfig, TrainingLoss, TransformerBlock, TransformerLM, cross_entropy, initialise
from refusals import refuses

TINY = ModelConfig(vocab_size=37, context_length=12, d_model=16, num_layers=2, num_heads=4, d_ff=24)
# The model of each value of each switch, one at a time: the config's choices, its booleans, and those that are numbers.
SWITCHES = [
    {name: value}
    for name, kind in get_type_hints(ModelConfig).items()
    for value in ((False, True) if kind is bool else get_args(kind) if get_origin(kind) is Literal else ())
    if value != getattr(TINY, name) or name == "norm"
]
SWITCHES += [{"logit_softcap": 0.5}, {"value_embeddings": 1}, {"bigram_buckets": 13}]


def build(**switches):
    torch.manual_seed(0)
    model = TransformerLM(replace(TINY, **switches))
    if model.bigram_embeddings is not None:  # which begin at zero
        torch.nn.init.normal_(model.bigram_embeddings.weight, generator=torch.Generator().manual_seed(2))
    return model


def draw_ids(*shape):
    return torch.randint(TINY.vocab_size, shape, generator=torch.Generator().manual_seed(1))


def test_names_are_the_assignments():
    """Oracle: the assignment's state-dict names, and the shapes that follow from the equations."""
    expected = {"token_embeddings.weight": (37, 16), "ln_final.weight": (16,), "lm_head.weight": (37, 16)}
    for i in range(2):
        expected |= {f"layers.{i}.ln{j}.weight": (16,) for j in (1, 2)}
        expected |= {f"layers.{i}.attn.{name}_proj.weight": (16, 16) for name in ("q", "k", "v", "output")}
        expected |= {f"layers.{i}.ffn.{name}.weight": (24, 16) for name in ("w1", "w3")}
        expected |= {f"layers.{i}.ffn.w2.weight": (16, 24)}
    assert {name: tuple(value.shape) for name, value in build().state_dict().items()} == expected


@pytest.mark.parametrize(
    ("switches", "absent"),
    [
        ({"norm": "post"}, {"ln_final"}),
        ({"norm": "none"}, {"ln1", "ln2", "ln_final"}),
        ({"feed_forward": "silu"}, {"w3"}),
        ({"feed_forward": "relu2"}, {"w3"}),
        ({"tie_embeddings": True}, {"lm_head"}),
        ({"positions": "none"}, set()),
    ],
)
def test_a_switch_takes_away_its_names_only(switches, absent):
    kept = {name for name in build().state_dict() if not absent & set(name.split("."))}
    assert set(build(**switches).state_dict()) == kept


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (dict(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1_344), 22_696_448),
        (
            dict(vocab_size=50_257, context_length=1_024, d_model=1_600, num_layers=48, num_heads=25, d_ff=6_400),
            2_127_057_600,
        ),
        (
            dict(
                vocab_size=50_257,
                context_length=1_024,
                d_model=1_600,
                num_layers=48,
                num_heads=25,
                d_ff=6_400,
                feed_forward="silu",
            ),
            1_635_537_600,
        ),
    ],
)
def test_parameter_counts(config, expected):
    """Oracle: counted by hand from the shapes. On the device "meta" nothing is allocated."""
    model = TransformerLM(ModelConfig(**config), device="meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("switches", SWITCHES)
def test_nothing_depends_on_what_comes_later(switches):
    """Oracle: causality. The path without a store, and the gradient of an early logit to late embeddings."""
    model = build(**switches)
    ids = draw_ids(2, 10)
    changed = ids.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % TINY.vocab_size
    torch.testing.assert_close(model(ids)[:, :6], model(changed)[:, :6], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(model(ids)[:, 6:], model(changed)[:, 6:])


@pytest.mark.parametrize("switches", SWITCHES)
def test_cached_forward_equals_the_full_one(switches, list_store):
    """Oracle: the model without a cache; float32's rounding, as sums run in another order."""
    model, ids = build(**switches), draw_ids(2, 12)
    positions = torch.arange(12)
    before = torch.cat((torch.full((2, 1), -1), ids), dim=1)
    chunks = [model(ids[:, a:b], positions[a:b], list_store, before[:, a]) for a, b in ((0, 5), (5, 6), (6, 12))]
    torch.testing.assert_close(torch.cat(chunks, dim=1), model(ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("switches", SWITCHES)
def test_loss_equals_cross_entropy_of_the_logits(switches):
    """Oracle: the two steps that `loss` joins, value and gradients."""
    model, ids, targets = build(**switches), draw_ids(2, 9), draw_ids(2, 9).flip(1)
    expected = cross_entropy(model(ids), targets)
    torch.testing.assert_close(TrainingLoss(model)(ids, targets), expected, rtol=1e-6, atol=0)
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(expected, parameters)
    for actual, gradient in zip(
        torch.autograd.grad(TrainingLoss(model)(ids, targets), parameters), gradients, strict=True
    ):
        torch.testing.assert_close(actual, gradient, rtol=0, atol=1e-5 * gradient.abs().max().item())


def test_without_positions_the_order_of_the_past_does_not_matter():
    """Oracle: attention is a sum; swapping earlier tokens leaves a one-layer model's last logits as they were."""
    ids = draw_ids(1, 6)
    swapped = ids[:, [1, 0, 2, 3, 4, 5]]
    blind, sighted = build(positions="none", num_layers=1), build(num_layers=1)
    torch.testing.assert_close(blind(ids)[:, -1], blind(swapped)[:, -1], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(sighted(ids)[:, -1], sighted(swapped)[:, -1])


def test_longer_than_the_context_is_refused():
    with refuses(DataError, 13, "model.context_length = 12"):
        build()(draw_ids(1, 13))


def test_ids_of_the_wrong_shape_or_type_are_refused(run_without_hook):
    """In a process of its own: the hook that checks shapes in tests would refuse them first."""
    script = """
import torch
from homespun.model import ModelConfig, TransformerLM

model = TransformerLM(ModelConfig(vocab_size=5, context_length=4, d_model=4, num_layers=1, num_heads=1, d_ff=4))
for ids in (torch.zeros(3, dtype=torch.int64), torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.uint8)):
    try:
        model(ids)
    except ValueError as error:
        print(error)
model(torch.zeros(1, 3, dtype=torch.int32))
"""
    lines = run_without_hook(script).splitlines()
    assert len(lines) == 3
    for line, facts in zip(lines, (("(3,)", "token_ids[None]"), ("float32", "int64"), ("uint8", "int64")), strict=True):
        assert all(fact in line for fact in facts), line


def test_a_tied_head_stays_tied_wherever_the_model_goes():
    """Oracle: identity of the table and the head's weight, which is no parameter of its own."""
    for move in (lambda m: m, copy.deepcopy, lambda m: m.double(), lambda m: m.to("meta").to_empty(device="cpu")):
        model = move(build(tie_embeddings=True))
        assert model.lm_head.weight is model.token_embeddings.weight
        assert "lm_head.weight" not in model.state_dict()


def test_the_head_is_called():
    """Oracle: a forward hook on it sees the logits, tied or not."""
    for switches in ({}, {"tie_embeddings": True}):
        model, seen = build(**switches), []
        model.lm_head.register_forward_hook(lambda _, __, logits, seen=seen: seen.append(logits))
        logits = model(draw_ids(1, 3))
        assert seen[0] is logits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_token_losses_are_those_of_the_logits(dtype):
    """Oracle: log-softmax in float64 of the same logits; a float64 model is scored in float64."""
    model, ids, targets = build().to(dtype), draw_ids(2, 9), draw_ids(2, 9).flip(1)
    losses = model.lm_head.token_losses(model.hidden(ids), targets)
    assert losses.dtype == torch.promote_types(dtype, torch.float32)
    expected = -model(ids).double().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    rtol = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(losses.double(), expected, rtol=rtol, atol=0)


def test_logits_are_capped():
    """Oracle: the formula, on the logits of the model without a cap."""
    for tied in ({}, {"tie_embeddings": True}):
        plain, capped = build(**tied), build(logit_softcap=0.5, **tied)
        ids = draw_ids(2, 9)
        expected = 0.5 * torch.tanh(plain(ids) / 0.5)
        torch.testing.assert_close(capped(ids), expected)
        losses = capped.lm_head.token_losses(capped.hidden(ids), ids)
        torch.testing.assert_close(losses, -expected.log_softmax(-1).gather(-1, ids[..., None])[..., 0])


def test_a_cap_is_greater_than_zero():
    with refuses(ConfigError, "model.logit_softcap", 0.0):
        replace(TINY, logit_softcap=0.0)


def test_residual_scales_mix_the_embedding_into_every_block():
    """Oracle: the loop written out, on the model's own blocks."""
    model, ids = build(residual_scales=True), draw_ids(2, 9)
    for i, residual in enumerate(model.embedding_residuals):
        with torch.no_grad():
            residual.weight.copy_(torch.tensor([1.5 + i, -0.5 + i]))
    table = model.token_embeddings.weight[ids]
    x0 = x = table / (table.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    for i, block in enumerate(model.layers):
        x = block((1.5 + i) * x + (-0.5 + i) * x0)
    torch.testing.assert_close(model(ids), model.ln_final(x) @ model.lm_head.weight.T, rtol=1e-4, atol=1e-5)


def test_value_embeddings_are_added_by_a_gate():
    """Oracle: the formula, number by number, in place of the values of the last layer."""
    model, ids = build(value_embeddings=1), draw_ids(2, 9)
    attn, table = model.layers[1].attn, model.value_embeddings["1"].weight
    assert model.layers[0].attn.value_gate is None
    with torch.no_grad():
        attn.value_gate.weight.copy_(torch.randn(4, 12))
    x = torch.randn(2, 9, 16)
    found = attn.value_gate(x, attn.v_proj(x), table[ids])
    for b, t, h in ((0, 0, 0), (1, 4, 2), (1, 8, 3)):
        u = sum(attn.value_gate.weight[h, c] * x[b, t, c] for c in range(12))
        expected = attn.v_proj(x)[b, t] + (1 + u / (1 + u**2) ** 0.5) * table[ids[b, t]]
        torch.testing.assert_close(found[b, t, 4 * h : 4 * h + 4], expected[4 * h : 4 * h + 4])
    with torch.no_grad():
        plain = build()
        plain.load_state_dict({name: value for name, value in model.state_dict().items() if "value" not in name})
        assert not torch.allclose(plain(ids), model(ids), atol=1e-3)
        table.zero_()
        torch.testing.assert_close(plain(ids), model(ids))


def test_tables_of_switches_leave_what_else_is_drawn():
    """Oracle: the model without them, of the same seed."""
    others = build(value_embeddings=1, residual_scales=True, bigram_buckets=5).state_dict()
    assert all(torch.equal(others[name], value) for name, value in build().state_dict().items())


def test_value_embeddings_fit_every_other_layer():
    assert replace(TINY, num_layers=5, value_embeddings=3).value_embedding_layers == (0, 2, 4)
    with refuses(ConfigError, "model.value_embeddings = 2", "at most 1", "model.num_layers = 2"):
        replace(TINY, value_embeddings=2)


def test_bigram_rows_are_those_of_the_hash():
    """Oracle: Python's own integers, token by token; the first has none, unless the id before it is given."""
    layer, ids = build(bigram_buckets=13).bigram_embeddings, draw_ids(2, 6)
    for before in (None, torch.tensor([-1, 36])):
        rows = layer(ids, before)
        for b, sequence in enumerate(ids.tolist()):
            previous = -1 if before is None else int(before[b])
            for t, token in enumerate(sequence):
                bucket = ((36313 * token) ^ (27191 * previous)) % 13
                expected = layer.weight[bucket] if previous >= 0 else torch.zeros(16)
                assert torch.equal(rows[b, t], expected)
                previous = token
    with torch.no_grad():
        plain, model = build(), build(bigram_buckets=13)
        x = plain.token_embeddings(ids) + layer(ids)
        for block in plain.layers:
            x = block(x)
        torch.testing.assert_close(model(ids), plain.lm_head(plain.ln_final(x)))


def test_a_cached_model_with_bigrams_asks_for_the_id_before(list_store):
    with refuses(DataError, "previous_ids", "model.bigram_buckets = 13"):
        build(bigram_buckets=13)(draw_ids(1, 3), torch.arange(3), list_store)


def test_zero_init_draws_all_else_as_without_it():
    """Oracle: the model without it; by the global generator and by one of one's own. A block is nothing at first."""
    plain, zero = build(), build(zero_init=True)
    for drawn_again in (False, True):
        if drawn_again:
            for model in (plain, zero):
                initialise(model, torch.Generator().manual_seed(3))
        others = dict(zero.named_parameters())
        for name, parameter in plain.named_parameters():
            is_zero = name.endswith(("output_proj.weight", "w2.weight"))
            assert torch.equal(others[name], torch.zeros_like(parameter) if is_zero else parameter), name
    x = torch.randn(2, 3, 16)
    assert torch.equal(zero.layers[0](x), x)


def test_blocks_share_one_pair_of_tables():
    model = build()
    assert model.layers[0].attn.rope is model.layers[1].attn.rope
    assert len({id(buffer) for buffer in model.buffers()}) == 2
    assert TransformerBlock(TINY).attn.rope is not None


def test_layers_are_shown_in_one_line_with_their_sizes():
    block = build().layers[0]
    assert [repr(layer) for layer in (block.ln1, block.ffn, block.attn.q_proj)] == [
        "RMSNorm(d_model=16, eps=1e-05)",
        "SwiGLU(d_model=16, d_ff=24)",
        "Linear(in_features=16, out_features=16)",
    ]
    assert repr(build().token_embeddings) == "Embedding(num_embeddings=37, embedding_dim=16)"
    rope = "rope=RotaryPositionalEmbedding(theta=10000.0, d_k=4, max_seq_len=12)"
    assert repr(block.attn) == f"CausalMultiHeadSelfAttention(d_model=16, num_heads=4, {rope})"


def test_a_fresh_model_knows_nothing():
    """Oracle: a uniform guess costs ln V nats; random logits cost a little more, tied ones too."""
    ids = draw_ids(8, 12)
    for switches in ({}, {"tie_embeddings": True}):
        loss = TrainingLoss(build(**switches))(ids, draw_ids(8, 12).flip(0)).item()
        assert loss == pytest.approx(torch.log(torch.tensor(37.0)).item(), abs=1.5)


def test_the_same_seed_gives_the_same_model():
    """Oracle: identity, also for a model that gets memory and values later."""
    first, later = build(), TransformerLM(TINY, device="meta").to_empty(device="cpu")
    for model in (first, later):
        initialise(model, torch.Generator().manual_seed(5))
    torch.testing.assert_close(first(draw_ids(1, 5)), later(draw_ids(1, 5)), rtol=0, atol=0)


def test_bfloat16_products_keep_float32_gradients_and_loss():
    """Oracle: the float32 model; 5e-2 is some twelve roundings of 2**-8 along two layers."""
    model, ids, targets = build(), draw_ids(4, 12), draw_ids(4, 12).flip(1)
    exact = TrainingLoss(model)(ids, targets)
    gradients = torch.autograd.grad(exact, list(model.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        loss = TrainingLoss(model)(ids, targets)
    assert loss.dtype == torch.float32
    assert not torch.equal(loss, exact), "products were rounded"
    torch.testing.assert_close(loss, exact, rtol=5e-3, atol=0)
    for actual, expected in zip(torch.autograd.grad(loss, list(model.parameters())), gradients, strict=True):
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, expected, rtol=0, atol=5e-2 * expected.abs().max().item())


def test_a_bfloat16_model_runs_and_comes_close():
    """Oracle: the float32 model with the same weights; logits near 1 lose some ten roundings of 2**-8."""
    model, ids = build(), draw_ids(2, 12)
    exact = model(ids)
    torch.testing.assert_close(model.bfloat16()(ids).float(), exact, rtol=0, atol=4e-2 * exact.abs().max().item())
