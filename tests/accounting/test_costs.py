"""FLOPs and memory of shapes other than the published ones. Oracle throughout: the formulas, written out by hand."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from homespun.accounting.totals import (
    count_parameters,
    forward_flops,
    list_matrix_multiplies,
    training_flops,
    training_flops_by_rule,
    training_memory,
)
from homespun.errors import ConfigError
from homespun.model.config import ModelConfig
from homespun.optim.config import SGDOptim
from refusals import refuses

configs = st.builds(
    lambda heads, half_width, **rest: ModelConfig(num_heads=heads, d_model=2 * heads * half_width, **rest),
    heads=st.integers(1, 8),
    half_width=st.integers(1, 64),
    vocab_size=st.integers(1, 60_000),
    context_length=st.just(1024),
    num_layers=st.integers(1, 50),
    d_ff=st.integers(1, 9000),
    feed_forward=st.sampled_from(("swiglu", "silu", "relu2")),
)


@given(config=configs, length=st.integers(1, 5000), batch=st.integers(1, 100))
def test_flops_equal_the_closed_form(config, length, batch):
    layers, width, inner = config.num_layers, config.d_model, config.d_ff
    matrices = 3 if config.feed_forward == "swiglu" else 2
    block = 8 * length * width**2 + 4 * length**2 * width + 2 * matrices * length * width * inner
    forward = batch * (layers * block + 2 * length * width * config.vocab_size)
    assert forward_flops(config, length, batch) == forward
    assert training_flops(config, length, batch) == 3 * forward
    assert training_flops_by_rule(config, length, batch) == 6 * batch * length * count_parameters(config)


@given(config=configs, length=st.integers(1, 5000))
def test_memory_equals_the_closed_form(config, length):
    layers, width, inner, heads = config.num_layers, config.d_model, config.d_ff, config.num_heads
    kept = 4 if config.feed_forward == "swiglu" else 2
    block = 8 * length * width + 2 * heads * length**2 + kept * length * inner
    memory = training_memory(config, length)
    assert training_memory(config, length, SGDOptim()).fixed_bytes == 8 * count_parameters(config)
    assert memory.per_sequence_bytes == 4 * (layers * block + length * (width + config.vocab_size + 1))
    assert memory.fixed_bytes == 16 * count_parameters(config)


@given(config=configs, available=st.integers(0, 10**12))
def test_largest_batch_fits_and_one_more_does_not(config, available):
    memory = training_memory(config, 64)
    batch = memory.max_batch_size(available)
    assert batch == 0 or memory.bytes_at(batch) <= available
    assert memory.bytes_at(batch + 1) > available


def test_norms_that_are_absent_keep_nothing():
    def config(norm):
        return ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=20, norm=norm)

    pre, post, none = (training_memory(config(norm), 8).activations for norm in ("pre", "post", "none"))
    assert (pre["norms"], post["norms"], none["norms"]) == (1024, 1024, 0)
    assert (pre["final norm"], post["final norm"], none["final norm"]) == (256, 0, 0)


def test_capped_logits_are_kept_too():
    config = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=20)
    plain, capped = (training_memory(replace(config, logit_softcap=cap), 8).activations for cap in (None, 15.0))
    assert (plain["logits"], capped["logits"]) == (4 * 8 * 11, 2 * 4 * 8 * 11)


def test_residual_scales_keep_the_embedding_and_each_sum():
    config = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=20)
    plain, scaled = (replace(config, residual_scales=switch) for switch in (False, True))
    assert count_parameters(scaled) - count_parameters(plain) == 2 * 2
    memory = training_memory(scaled, 8)
    assert memory.per_sequence_bytes - training_memory(plain, 8).per_sequence_bytes == 4 * 8 * 8 * (1 + 2)
    assert forward_flops(scaled, 8) == forward_flops(plain, 8)


def test_value_embeddings_by_hand():
    """Tables of 11 x 16 and gates of 2 x 12 for layers 1 and 3 of 4; kept: the rows, the gates, what they give."""
    plain = ModelConfig(vocab_size=11, context_length=8, d_model=16, num_layers=4, num_heads=2, d_ff=20)
    config = replace(plain, value_embeddings=2)
    assert config.value_embedding_layers == (1, 3)
    assert count_parameters(config) - count_parameters(plain) == 2 * (11 * 16 + 2 * 12)
    assert forward_flops(config, 8) - forward_flops(plain, 8) == 2 * 2 * 8 * 12 * 2
    kept = [training_memory(c, 8).per_sequence_bytes for c in (config, plain)]
    assert kept[0] - kept[1] == 4 * 2 * (8 * 16 + 8 * 2 + 8 * 16)


def test_bigram_embeddings_are_a_table():
    plain = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=20)
    config = replace(plain, bigram_buckets=7)
    assert count_parameters(config) - count_parameters(plain) == 7 * 8
    assert forward_flops(config, 8) == forward_flops(plain, 8)
    kept = [training_memory(c, 8).per_sequence_bytes for c in (config, plain)]
    assert kept[0] - kept[1] == 4 * 2 * 8 * 8


def test_a_sequence_has_tokens():
    config = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=20)
    with refuses(ConfigError, "sequence_length", 0):
        list_matrix_multiplies(config, 0)
