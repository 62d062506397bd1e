"""A step gives the same bits for any micro-batch and any number of threads. Oracle: the whole batch on one thread."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homespun.checkpoint.model_tensors import model_tensors
from homespun.checkpoint.optimizer_tensors import optimizer_tensors
from homespun.corpus.config import SourceConfig
from homespun.data.config import DataConfig
from homespun.model.config import ModelConfig
from homespun.model.ops import use_backends
from homespun.optim import AdamWOptim, Constant, Cosine, GroupRule, MuonOptim, SGDConfig, SGDOptim, WeightAverage
from homespun.recipe.config import ExecutionConfig, RunConfig, TrainingConfig
from homespun.runs.device import compute_threads
from homespun.tokenizer.config import TokenizerConfig
from homespun.training.check_resume import promise_of
from homespun.training.compare_runs import describe_tensor
from homespun.training.engine import Engine
from homespun.training.session import named_tensors

BATCH_SIZE = 8
TINY = ModelConfig(vocab_size=300, context_length=48, d_model=32, num_layers=2, num_heads=4, d_ff=80)
MODELS = {
    "standard": TINY,
    "tied": replace(TINY, tie_embeddings=True),
    "qk_norm": replace(TINY, qk_norm=True),
    "zero_init": replace(TINY, zero_init=True),
    "softcap": replace(TINY, logit_softcap=0.5),
    "residual_scales": replace(TINY, residual_scales=True),
    "value_embeddings": replace(TINY, value_embeddings=1),
    "bigram": replace(TINY, bigram_buckets=50),
    "post_norm": replace(TINY, norm="post"),
    "no_norm": replace(TINY, norm="none"),
    "no_positions": replace(TINY, positions="none"),
    "silu": replace(TINY, feed_forward="silu"),
    "relu2": replace(TINY, feed_forward="relu2"),
    "short": replace(TINY, context_length=6),
    "odd": replace(TINY, context_length=38, d_model=30, num_heads=3, d_ff=77, vocab_size=301),
    "few_tokens": replace(TINY, feed_forward="silu", context_length=2, d_ff=33),
    "all": replace(TINY, tie_embeddings=True, qk_norm=True, norm="post", feed_forward="silu", context_length=34),
}
MODELS["record"] = replace(
    TINY,
    feed_forward="relu2",
    qk_norm=True,
    zero_init=True,
    logit_softcap=15.0,
    residual_scales=True,
    value_embeddings=1,
    bigram_buckets=50,
)
RULES = [GroupRule(pattern="embed|lm_head", optimizer=SGDConfig(lr=0.1))]
OPTIMIZERS = {
    "adamw": AdamWOptim(schedule=Constant(), lr=1e-2),
    "muon": MuonOptim(schedule=Constant(), lr=1e-2),
    "cautious": AdamWOptim(schedule=Cosine(), lr=1e-2, cautious_decay=True, decay_follows_schedule=True),
    "average": AdamWOptim(schedule=Constant(), lr=1e-2, average=WeightAverage(kind="ema", fraction=1.0)),
    "normuon": MuonOptim(schedule=Constant(), lr=1e-2, polar_express=True, normalize_rows=True, scale="jordan"),
    "cautious_muon": MuonOptim(schedule=Cosine(), lr=1e-2, cautious_decay=True, decay_follows_schedule=True),
    "sgd": SGDOptim(schedule=Constant(), lr=1e-1),
    "groups": AdamWOptim(schedule=Constant(), lr=1e-2, groups=RULES),
}


def config_of(model, micro_batch=BATCH_SIZE, optim=OPTIMIZERS["adamw"], precision="float32"):
    config = RunConfig(
        name="exact",
        source=SourceConfig(corpus="files", train="train.txt", valid="valid.txt"),
        tokenizer=TokenizerConfig(vocab_size=300),
        data=DataConfig(tokenizer="tokenizer", train="train", valid="valid"),
        model=model,
        optim=optim,
        training=TrainingConfig(num_steps=100, batch_size=BATCH_SIZE),
        execution=ExecutionConfig(micro_batch=micro_batch, device="cpu", precision=precision),
    )
    if not promise_of(config).execution:
        pytest.skip(f"not promised here in {precision}: {promise_of(config).text}")
    return config


def train(config, num_threads=1, num_steps=3):
    """The figures of the first steps, and every tensor after them."""
    rng = np.random.default_rng(1)
    with compute_threads("cpu", config.execution.precision, num_threads):
        engine, figures = Engine.build(config), []
        for step in range(num_steps):
            ids = rng.integers(config.model.vocab_size, size=(BATCH_SIZE, config.model.context_length + 1))
            outcome = engine.step(step, ids[:, :-1], ids[:, 1:])
            figures.append((outcome.loss, outcome.grad_norm, outcome.grad_norms))
    optimizer, _ = optimizer_tensors(engine.model, engine.optimizer)
    return figures, named_tensors(model_tensors(engine.model).tensors, optimizer)


def assert_same_bits(expected, found):
    (our_figures, ours), (their_figures, theirs) = expected, found
    assert list(ours) == list(theirs)
    differing = {name: text for name in ours if (text := describe_tensor(ours[name], theirs[name]))}
    assert not differing, next(f"{name}: {text}" for name, text in differing.items())
    assert our_figures == their_figures


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", MODELS)
def test_micro_batches_and_threads(model, precision):
    def config(micro_batch):
        return config_of(MODELS[model], micro_batch, precision=precision)

    expected = train(config(8))
    for micro_batch in (4, 2, 1):
        assert_same_bits(expected, train(config(micro_batch)))
    for num_threads in (2, 3):
        assert_same_bits(expected, train(config(8), num_threads))
    assert_same_bits(expected, train(config(1), num_threads=3))


@pytest.mark.parametrize("optim", OPTIMIZERS)
def test_optimizers(optim):
    """The gradient and its norm decide the update: the same bits in, the same bits out, in another number of calls."""
    expected = train(config_of(TINY, optim=OPTIMIZERS[optim]))
    assert_same_bits(expected, train(config_of(TINY, 2, OPTIMIZERS[optim]), num_threads=3))


@pytest.mark.property
@settings(max_examples=20)
@given(
    micro_batch=st.sampled_from([1, 2, 4, 8]),
    num_threads=st.integers(1, 4),
    precision=st.sampled_from(["float32", "bfloat16"]),
    context_length=st.integers(1, 150),
    num_heads=st.sampled_from([1, 2, 3]),
    d_head=st.sampled_from([2, 6, 16]),
    d_ff=st.integers(1, 100),
    norm=st.sampled_from(["pre", "post", "none"]),
    positions=st.sampled_from(["rope", "none"]),
    feed_forward=st.sampled_from(["swiglu", "silu", "relu2"]),
    flags=st.tuples(*[st.booleans()] * 4),
)
def test_any_model(
    micro_batch, num_threads, precision, context_length, num_heads, d_head, d_ff, norm, positions, feed_forward, flags
):
    qk_norm, tie_embeddings, zero_init, residual_scales = flags
    if precision == "bfloat16":
        context_length += context_length % 2  # pairs of tokens are added together
    model = ModelConfig(
        vocab_size=300, context_length=context_length, d_model=num_heads * d_head, num_layers=1, num_heads=num_heads,
        d_ff=d_ff, norm=norm, positions=positions, feed_forward=feed_forward, qk_norm=qk_norm,
        tie_embeddings=tie_embeddings, zero_init=zero_init, residual_scales=residual_scales,
    )  # fmt: skip
    expected = train(config_of(model, precision=precision), num_steps=2)
    found = train(config_of(model, micro_batch, precision=precision), num_threads, num_steps=2)
    assert_same_bits(expected, found)


def test_other_backends_differ_and_it_is_noticed():
    """Planted: the reference sums in another order, so its bits are others."""
    config = config_of(TINY, 2)
    with use_backends("reference"):
        found = train(config)
    with pytest.raises(AssertionError, match="numbers, at most by"):
        assert_same_bits(train(config_of(TINY)), found)
