"""Whatever happens to a file, loading it gives what was saved or one clear error, and never touches the model."""

import io
import json
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from homespun.checkpoint import load_checkpoint, read_state, save_checkpoint
from homespun.checkpoint.layout import read_tensors, write_tensors
from homespun.errors import CheckpointError
from refusals import refuses

from .conftest import build


@pytest.fixture(scope="module")
def intact() -> bytes:
    file = io.BytesIO()
    save_checkpoint(*build(), 3, file, state={"cursor": 7})
    return file.getvalue()


@pytest.fixture(scope="module")
def victim():
    """What must stay as it is."""
    return build(seed=9, num_steps=0)


def refuse(content: bytes, victim) -> CheckpointError:
    model, optimizer = victim
    before = [tensor.clone() for tensor in model.state_dict().values()]
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(io.BytesIO(content), model, optimizer)
    assert all(torch.equal(*pair) for pair in zip(model.state_dict().values(), before, strict=True))
    assert not optimizer.state
    assert "\n" not in str(caught.value)
    return caught.value


@settings(max_examples=200)
@given(data=st.data())
def test_any_other_byte_is_noticed(intact, victim, data):
    region = data.draw(st.sampled_from(["length", "header", "data"]))
    header_end = 8 + int.from_bytes(intact[:8], "little")
    begin, end = {"length": (0, 8), "header": (8, header_end), "data": (header_end, len(intact))}[region]
    position = data.draw(st.integers(begin, end - 1))
    difference = data.draw(st.integers(1, 255))
    altered = bytearray(intact)
    altered[position] ^= difference
    refuse(bytes(altered), victim)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_flipped_bits_are_noticed(intact, victim):
    """Oracle: the file as written; bits are drawn from the whole of it."""
    draw = random.Random(0)
    for _ in range(10_000):
        altered = bytearray(intact)
        position = draw.randrange(8 * len(intact))
        altered[position // 8] ^= 1 << position % 8
        refuse(bytes(altered), victim)


@settings(max_examples=100)
@given(data=st.data())
def test_any_other_length_is_noticed(intact, victim, data):
    if data.draw(st.booleans()):
        error = refuse(intact[: data.draw(st.integers(0, len(intact) - 1))], victim)
        assert "truncated" in str(error)
        assert "delete it and use the checkpoint before it" in str(error)
    else:
        refuse(intact + data.draw(st.binary(min_size=1, max_size=20)), victim)


@given(content=st.binary(max_size=200))
def test_noise_is_refused(content, victim):
    refuse(content, victim)


def test_truncated_file_on_disk(intact, victim, tmp_path):
    path = tmp_path / "step-000003.safetensors"
    for length in (0, 5, 100, len(intact) - 1):
        path.write_bytes(intact[:length])
        with refuses(CheckpointError, path, "truncated"):
            load_checkpoint(path, *victim)


def test_a_header_serialized_differently_is_refused(intact, victim):
    """Other white space leaves the canonical form, and so the hash, as it was."""
    length = int.from_bytes(intact[:8], "little")
    text = json.dumps(json.loads(intact[8 : 8 + length])).encode()
    assert "altered" in str(refuse(len(text).to_bytes(8, "little") + text + intact[8 + length :], victim))


def test_files_of_others_are_told_apart_from_damaged_ones(victim, tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(3)}, tmp_path / "theirs")
    with refuses(CheckpointError, tmp_path / "theirs", "not a checkpoint"):
        load_checkpoint(tmp_path / "theirs", *victim)
    file = io.BytesIO()
    write_tensors(file, {"weight": torch.ones(3)}, {"format": "homespun.checkpoint", "version": "2"})
    with refuses(CheckpointError, "version '2'", "version '1'"):
        read_state(io.BytesIO(file.getvalue()))
    file = io.BytesIO()
    write_tensors(file, {}, {"format": "homespun.checkpoint", "version": "1"})
    with refuses(CheckpointError, "iteration"):
        read_state(io.BytesIO(file.getvalue()))


def forge(header: dict, data: bytes) -> bytes:
    """A file of `header` and `data` under a true hash."""

    def canonical(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    header["__metadata__"].pop("sha256", None)
    header["__metadata__"]["sha256"] = sha256(canonical(header) + data).hexdigest()
    text = canonical(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def split(content: bytes) -> tuple[dict, bytes]:
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


@pytest.mark.parametrize(("key", "value"), [("iteration", []), ("iteration", 3), ("tied", {}), ("format", None)])
def test_metadata_that_are_no_strings_are_refused(key, value, intact, victim):
    header, data = split(intact)
    header["__metadata__"][key] = value
    assert "metadata that are not strings" in str(refuse(forge(header, data), victim))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("betas", [2, 2]),
        ("betas", [1, 1]),
        ("betas", None),
        ("betas", [0.9]),
        ("betas", ["a", "b"]),
        ("lr", "0.1"),
        ("lr", 10**400),
        ("eps", True),
    ],
)
def test_settings_that_the_optimizer_cannot_have_are_refused(key, value, intact, victim):
    header, data = split(intact)
    optimizer = json.loads(header["__metadata__"]["optimizer"])
    optimizer["groups"][0][key] = value
    header["__metadata__"]["optimizer"] = json.dumps(optimizer)
    assert f"its optimizer's {key} is" in str(refuse(forge(header, data), victim))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tied", {"head.weight": ["table.weight"]}),
        ("tied", []),
        ("iteration", "-1"),
        ("iteration", "1_0"),
        ("iteration", "9" * 20),
        ("state", []),
        ("optimizer", {"kind": "AdamW", "groups": [1], "numbers": {}}),
        ("optimizer", {"kind": "AdamW", "groups": [], "numbers": []}),
    ],
)
def test_metadata_of_a_wrong_kind_are_refused(key, value, intact, victim):
    header, data = split(intact)
    header["__metadata__"][key] = value if isinstance(value, str) else json.dumps(value)
    refuse(forge(header, data), victim)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("inner.weight.exp_avg", lambda tensor: None),
        ("inner.weight.exp_avg", lambda tensor: tensor[:1]),
        ("inner.weight.exp_avg", lambda tensor: tensor.T),
        ("inner.weight.exp_avg", lambda tensor: tensor.long()),
        ("inner.weight.step", lambda tensor: None),
        ("inner.weight.step", lambda tensor: tensor - 9),
        ("inner.weight.step", lambda tensor: tensor + 0.5),
        ("inner.weight.step", lambda tensor: tensor * float("nan")),
        ("inner.weight.step", lambda tensor: tensor.expand(3)),
    ],
)
def test_optimizer_state_of_a_wrong_kind_is_refused(name, change, intact, victim):
    """A tensor of the state is missing, of another shape or type, or no count; the hash is true."""
    tensors, metadata = read_tensors(memoryview(bytearray(intact)), "intact")
    changed = change(tensors.pop(f"optimizer.{name}"))
    if changed is not None:
        tensors[f"optimizer.{name}"] = changed
    assert "optimizer.inner.weight" in str(refuse(write(tensors, metadata), victim))


def test_a_parameter_without_its_state_is_refused(intact, victim):
    tensors, metadata = read_tensors(memoryview(bytearray(intact)), "intact")
    left = {name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer.inner.weight.")}
    assert "optimizer.inner.weight" in str(refuse(write(left, metadata), victim))


def test_a_number_beside_a_tensor_of_the_same_name_is_refused(intact, victim):
    tensors, metadata = read_tensors(memoryview(bytearray(intact)), "intact")
    optimizer = json.loads(metadata["optimizer"])
    for numbers in ({"step": 3}, {"other": 3}):
        optimizer["numbers"] = {"inner.weight": numbers}
        refuse(write(tensors, {**metadata, "optimizer": json.dumps(optimizer)}), victim)


def write(tensors: dict, metadata: dict) -> bytes:
    """A file of `tensors` and `metadata` under a true hash."""
    file = io.BytesIO()
    write_tensors(file, tensors, {key: value for key, value in metadata.items() if key != "sha256"})
    return file.getvalue()


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "I16", "shape": [1], "data_offsets": [1, 3]},
        {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]},
        {"dtype": "F32", "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": 4},
        4,
    ],
)
def test_forged_headers_are_refused(entry):
    """A hash can be forged along with a header; no view outside the data, and no unaligned one, may come of it."""
    content = forge({"__metadata__": {"format": "homespun.checkpoint"}, "weight": entry}, b"\0" * 4)
    with refuses(CheckpointError, "forged"):
        read_tensors(memoryview(bytearray(content)), "forged")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_kill_9_leaves_a_whole_checkpoint(tmp_path):
    """Oracle: the hash, after a process that does nothing but save to one name is killed in the middle of it."""
    path = tmp_path / "step"
    script = """
import sys, torch
from homespun.checkpoint import save_checkpoint
model = torch.nn.Linear(500, 500)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for iteration in range(10**9):
    save_checkpoint(model, optimizer, iteration, sys.argv[1], state={"iteration": iteration})
"""
    with subprocess.Popen([sys.executable, "-c", script, str(path)]) as process:
        try:
            seen = set()
            while len(seen) < 5:
                assert process.poll() is None
                if path.exists():
                    seen.add(read_state(path)["iteration"])
                time.sleep(0.003)
        finally:
            process.send_signal(signal.SIGKILL)
    assert read_state(path)["iteration"] >= max(seen)
