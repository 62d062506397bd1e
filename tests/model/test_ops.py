"""Every backend x operation x dtype against the reference: values and gradients."""

import os
from functools import partial

import numpy as np
import pytest
import torch

from homespun import _native
from homespun.errors import ConfigError
from homespun.model import ModelConfig, TrainingLoss, TransformerLM, ops
from homespun.model.ops import BACKENDS, native, reference, use_backends
from homespun.model.ops.eager import attention as eager_attention
from homespun.model.ops.eager import cross_entropy as eager_cross_entropy
from refusals import refuses

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
# Of the greatest element of a tensor. float64 and float32: sums of some 100 terms in another order. bfloat16: some
# five roundings of 2**-8.
TOLERANCES = {torch.float64: 1e-13, torch.float32: 2e-6, torch.bfloat16: 2e-2}


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def attention_inputs(num_queries, num_keys):
    # As attention makes them: heads split off the channels, so not contiguous.
    return tuple(drawn(2, num, 3, 6).transpose(1, 2) for num in (num_queries, num_keys, num_keys))


def block_inputs(num_positions, *, rotates, norms_heads=False, activation=None, channels=0):
    angles = 10 * torch.rand(num_positions, 2)
    matrices = [drawn(*shape) / 3 for shape in ((12, 12),) * 4 + ((20, 12), (20, 12), (12, 20))]
    norms = [1 + drawn(12) / 3 for _ in range(2)]
    head_norms = [1 + drawn(4) / 3 for _ in range(2)] if norms_heads else [None, None]
    gate = matrices[5] if activation is None else None
    parameters = (norms[0], *matrices[:4], *head_norms, norms[1], matrices[4], gate, matrices[6])
    cos, sin = (angles.cos(), angles.sin()) if rotates else (None, None)
    values = (drawn(3, channels), drawn(3, num_positions, 12)) if channels else (None, None)
    return drawn(3, num_positions, 12), *parameters, cos, sin, 3, 1e-5, activation or "silu", *values


def rotation_inputs(*table):
    angles = 10 * torch.rand(*table)
    return drawn(2, 3, 5, 8), angles.cos(), angles.sin()


# Of those that combine others, one after another.
NUM_OPERATIONS = {"block": 4}
# Arguments of each operation: those in float64 are given in the dtype under test and differentiated; a dict at the end
# are optional arguments. A new operation needs an entry.
INPUTS = {
    "linear": [lambda n=n: (drawn(*n, 5), drawn(11, 5)) for n in ((1,), (2, 3), (2, 40), (1, 100))],
    "embedding": [lambda n=n: (drawn(11, 5), torch.randint(11, n)) for n in ((1,), (2, 30))],
    "rms_norm": [lambda n=n: (drawn(*n, 5), drawn(5), 1e-5) for n in ((1,), (2, 40))],
    "causal_attention": [
        lambda t=t, s=s: attention_inputs(t, s)
        for t, s in ((1, 1), (4, 4), (5, 5), (8, 8), (11, 11), (1, 7), (3, 7), (5, 11), (8, 9), (20, 90))
    ],
    "linear_cross_entropy": [
        lambda n=n, r=r: (drawn(n, 5), drawn(11, 5), torch.randint(11, (n,)), *r)
        for n in (1, 3, 7)
        for r in ((), ("sum",), ({"softcap": 1.5},), ("sum", {"softcap": 5.0}))
    ],
    "block": [
        lambda n=n, r=r, h=h, a=a, c=c: block_inputs(n, rotates=r, norms_heads=h, activation=a, channels=c)
        for n, r, h, a, c in (
            *((n, r, False, None, 0) for n in (1, 20, 70) for r in (True, False)),
            (20, True, True, None, 0),
            (70, False, True, "relu_squared", 5),
            (20, True, False, "relu_squared", 0),
            (20, True, False, "silu", 12),
        )
    ],
    "silu": [lambda: (drawn(3, 5),), lambda: (drawn(40),)],
    "relu_squared": [lambda: (drawn(3, 5),), lambda: (drawn(40),)],
    "scaled_sum": [lambda n=n: (drawn(*n, 5), drawn(*n, 5), drawn(2)) for n in ((1,), (2, 40))],
    "silu_gate": [lambda: (drawn(3, 5), drawn(3, 5)), lambda: (drawn(5), drawn(5))],
    "rotate_pairs": [lambda: rotation_inputs(5, 4), lambda: rotation_inputs(2, 1, 5, 4)],
}
MATRIX = [
    pytest.param(backend, operation, dtype, device, id=f"{backend.name}-{operation}-{dtype}-{device}")
    for backend in BACKENDS
    for operation in backend.operations
    for dtype in TOLERANCES
    if backend.dtypes is None or dtype in backend.dtypes
    for device in DEVICES
]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=[1, 4, 99], ids=["small blocks", "blocks", "one block"])
def _blocks(request, monkeypatch):
    """Blocks and tiles that end inside, at and after the end of the inputs above."""
    monkeypatch.setattr(eager_attention, "QUERIES_PER_BLOCK", 4)
    monkeypatch.setattr(eager_attention, "MIN_QUERIES", 2)
    monkeypatch.setattr(eager_attention, "BYTES_PER_BLOCK", 4 * 4 * 8 * request.param)
    monkeypatch.setattr(eager_cross_entropy, "BYTES_PER_TILE", 4 * 11 * request.param)


def is_given(x):
    """Whether an argument is given in the dtype under test."""
    return isinstance(x, torch.Tensor) and x.dtype == torch.float64


def options_of(inputs):
    return inputs[-1] if isinstance(inputs[-1], dict) else {}


def run(function, inputs, dtype, device):
    """Return the value, the value without gradients, and the gradients for a random gradient of the value."""
    if options := options_of(inputs):
        function, inputs = partial(function, **options), inputs[:-1]
    arguments = [x.to(device, dtype if is_given(x) else x.dtype) if isinstance(x, torch.Tensor) else x for x in inputs]
    with torch.no_grad():
        alone = function(*arguments)
    leaves = [x.requires_grad_() for x, given in zip(arguments, inputs, strict=True) if is_given(given)]
    value = function(*arguments)
    seed = torch.randn(value.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(value, leaves, seed.to(device, value.dtype))
    return [x.detach() for x in (value, alone, *gradients)]


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(("backend", "operation", "dtype", "device"), MATRIX)
def test_backend_equals_the_reference(backend, operation, dtype, device):
    """Oracle: the reference in float64, values and gradients."""
    for draw in INPUTS[operation]:
        inputs = draw()
        on_device = inputs[0].to(device, dtype)
        options = options_of(inputs)
        if backend.implements(operation, on_device) and not backend.implements(operation, on_device, options):
            continue
        if not backend.implements(operation, on_device):
            pytest.skip(f"{backend.name} does not implement {operation} for {dtype} on {device}")
        with use_backends(backend.name):
            assert ops.choose_backend(operation, on_device, options) is backend
            found = run(getattr(ops, operation), inputs, dtype, device)
        exact = run(getattr(reference, operation), inputs, torch.float64, "cpu")
        for actual, expected in zip(found, exact, strict=True):
            atol = TOLERANCES[dtype] * NUM_OPERATIONS.get(operation, 1) * max(1.0, expected.abs().max().item())
            torch.testing.assert_close(actual.double().cpu(), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("operation", INPUTS)
def test_results_have_the_dtype_of_the_inputs(operation):
    """A loss is float32 at least: 16-bit formats cannot hold a mean over many tokens."""
    for dtype in TOLERANCES:
        value, _, *gradients = run(getattr(ops, operation), INPUTS[operation][0](), dtype, "cpu")
        assert value.dtype == (max(dtype, torch.float32, key=lambda d: d.itemsize) if value.ndim == 0 else dtype)
        assert all(gradient.dtype == dtype for gradient in gradients)


def test_the_reference_implements_every_operation():
    assert BACKENDS[-1].name == "reference"
    assert BACKENDS[-1].traceable
    assert set(BACKENDS[-1].operations) == {name for backend in BACKENDS for name in backend.operations} == set(INPUTS)


def test_a_backend_without_an_option_is_passed_over(monkeypatch):
    """Planted: kernels of a loss that know no cap. Oracle: the reference."""

    def linear_cross_entropy(hidden, weight, targets, reduction="mean"):
        raise AssertionError("a cap was given")

    monkeypatch.setattr(native, "linear_cross_entropy", linear_cross_entropy)
    hidden, weight, targets = torch.randn(3, 5), torch.randn(11, 5), torch.tensor([0, 1, 2])
    capped = ops.linear_cross_entropy(hidden, weight, targets, softcap=2.0)
    torch.testing.assert_close(capped, reference.linear_cross_entropy(hidden, weight, targets, softcap=2.0))
    with pytest.raises(AssertionError, match="cap was given"):
        ops.linear_cross_entropy(hidden, weight, targets, softcap=None)


def test_a_choice_of_backends_ends_with_its_block():
    x = torch.zeros(1)
    with use_backends("reference"):
        assert ops.choose_backend("silu_gate", x).name == "reference"
        with use_backends("eager"):
            assert ops.choose_backend("silu_gate", x).name == "eager"
        assert ops.choose_backend("silu_gate", x).name == "reference"
    assert ops.choose_backend("silu_gate", x).name == "native"
    assert ops.choose_backend("silu_gate", x.double()).name == "eager"
    with refuses(ConfigError, "backend", "'fast'", "eager", "reference"), use_backends("fast"):
        pass


def test_the_reference_supports_double_backward():
    """Oracle: finite differences."""
    with use_backends("reference"):
        assert torch.autograd.gradgradcheck(ops.silu_gate, tuple(drawn(3).requires_grad_() for _ in range(2)))


def test_linear_cross_entropy_multiplies_in_the_dtype_of_autocast():
    """Oracle: the reference under the same autocast, whose products round alike; the sums are float32 in both."""
    hidden, weight = (torch.randn(rows, 16, requires_grad=True) for rows in (64, 32))
    targets = torch.randint(32, (64,))
    with torch.autocast("cpu", torch.bfloat16), use_backends("eager"):
        actual = ops.linear_cross_entropy(hidden, weight, targets)
        expected = reference.linear_cross_entropy(hidden, weight, targets)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    for ours, plain in zip(
        torch.autograd.grad(actual, (hidden, weight)), torch.autograd.grad(expected, (hidden, weight)), strict=True
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-2 * plain.abs().max().item())


@pytest.mark.parametrize("operation", ["linear", "linear_cross_entropy"])
def test_native_products_round_their_factors_under_autocast(operation):
    """Oracle: the reference in float64 with factors that bfloat16 has; gradients are rounded once."""
    backend = next(backend for backend in BACKENDS if backend.name == "native")
    x, weight = (torch.randn(rows, 16).bfloat16().float().requires_grad_() for rows in (64, 32))
    rest = (torch.randint(32, (64,)),) if operation == "linear_cross_entropy" else ()
    with torch.autocast("cpu", torch.bfloat16), use_backends("native"):
        if not backend.implements(operation, x):
            pytest.skip("no instructions for bfloat16 products")
        actual = getattr(ops, operation)(x, weight, *rest)
    expected = getattr(reference, operation)(x.double(), weight.double(), *rest)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-6, atol=1e-6)
    found, exact = (torch.autograd.grad(y.square().sum(), (x, weight)) for y in (actual, expected))
    for ours, theirs in zip(found, exact, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-2 * theirs.abs().max().item())


def test_native_results_have_the_same_bits_for_any_number_of_threads():
    """Oracle: identity, one thread; a loss and the gradients of a whole model."""
    model = TransformerLM(
        ModelConfig(vocab_size=300, context_length=64, d_model=48, num_layers=2, num_heads=3, d_ff=80)
    )
    ids = torch.randint(300, (4, 65))
    before, results = torch.get_num_threads(), []
    try:
        for num_threads in (1, 2, 3):
            torch.set_num_threads(num_threads)
            with use_backends("native"):
                loss = TrainingLoss(model)(ids[:, :-1], ids[:, 1:])
                results.append((loss, *torch.autograd.grad(loss, [*model.parameters()])))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(x, y) for result in results for x, y in zip(result, results[0], strict=True))


def test_native_operations_run_after_a_fork():
    """Oracle: the parent's result. A child has none of the threads that its parent started."""
    x, weight = torch.randn(64, 8), torch.randn(16, 8)
    with use_backends("native"):
        expected = ops.linear(x, weight)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"equal" if torch.equal(ops.linear(x, weight), expected) else b"other")
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 5) == b"equal"


def test_native_kernels_refuse_what_does_not_fit():
    """Oracle: the stub, which states the exceptions."""
    kernels = _native.Kernels(1)
    two, three, out = (np.zeros((n, n), np.float32) for n in (2, 3, 2))
    with pytest.raises(ValueError, match="shapes"):
        kernels.multiply(two, False, three, False, out, False)
    with pytest.raises(ValueError, match="shapes"):
        kernels.silu_gate(two, three, out)
    with pytest.raises(IndexError, match="index 2"):
        kernels.add_rows(np.array([0, 2]), two, out)
    with pytest.raises(IndexError, match="index -1"):
        kernels.head_loss(two, two, np.array([0, -1]), np.zeros(2, np.float32), 1.0, None, None)


def rounded(x):
    """`x` as bfloat16 holds it."""
    return torch.from_numpy(x).bfloat16().double().numpy()


@pytest.mark.parametrize("shape", [(64, 33, 40), (1, 2, 3), (200, 512, 96)])
def test_native_products_round_to_bfloat16(shape):
    """Oracle: NumPy in float64 on what torch rounds, to some roundings of float32 sums."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(size, np.float32) for size in ((m, k), (k, n), (m, n)))
    expected = c + rounded(a) @ rounded(b)
    for transposes_a, transposes_b in ((False, False), (False, True), (True, False), (True, True)):
        found = c.copy()
        arrays = (np.ascontiguousarray(x.T if flips else x) for x, flips in ((a, transposes_a), (b, transposes_b)))
        _native.Kernels(2).multiply(next(arrays), transposes_a, next(arrays), transposes_b, found, True, bfloat16=True)
        assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_native_head_loss_rounds_to_bfloat16():
    """Oracle: NumPy in float64 on what torch rounds. The gradients' own factors, the logits', are rounded: 2**-9."""
    rng = np.random.default_rng(0)
    hidden, weight = rng.standard_normal((300, 24), np.float32), rng.standard_normal((50, 24), np.float32)
    targets = rng.integers(0, 50, 300)
    losses, dhidden, dweight = np.empty(300, np.float32), np.empty_like(hidden), np.zeros_like(weight)
    _native.Kernels(2).head_loss(hidden, weight, targets, losses, 1.0, dhidden, dweight, bfloat16=True)
    logits = rounded(hidden) @ rounded(weight).T
    exponentials = np.exp(logits)
    sums = exponentials.sum(1)
    np.testing.assert_allclose(losses, np.log(sums) - logits[np.arange(300), targets], rtol=1e-5, atol=1e-5)
    dlogits = exponentials / sums[:, None] - (np.arange(50) == targets[:, None])
    for found, expected in ((dhidden, dlogits @ rounded(weight)), (dweight, dlogits.T @ rounded(hidden))):
        assert np.abs(found - expected).max() < 2**-9 * np.abs(expected).max()
