"""Whatever happens to a file, loading it gives what was saved or one clear error, and never touches the model."""

import io
import json
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
        with pytest.raises(CheckpointError, match=r"step-000003.safetensors: truncated"):
            load_checkpoint(path, *victim)


def test_header_spelled_differently_is_refused(intact, victim):
    """The same header with other white space has the same canonical form, and yet was not written by us."""
    length = int.from_bytes(intact[:8], "little")
    spelled = json.dumps(json.loads(intact[8 : 8 + length])).encode()
    assert "altered" in str(refuse(len(spelled).to_bytes(8, "little") + spelled + intact[8 + length :], victim))


def test_files_of_others_are_told_apart_from_damaged_ones(victim, tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(3)}, tmp_path / "theirs")
    with pytest.raises(CheckpointError, match="not a checkpoint that homespun wrote"):
        load_checkpoint(tmp_path / "theirs", *victim)
    file = io.BytesIO()
    write_tensors(file, {"weight": torch.ones(3)}, {"format": "homespun.checkpoint", "version": "2"})
    with pytest.raises(CheckpointError, match=r"version '2'; this homespun reads .* version '1'"):
        read_state(io.BytesIO(file.getvalue()))
    file = io.BytesIO()
    write_tensors(file, {}, {"format": "homespun.checkpoint", "version": "1"})
    with pytest.raises(CheckpointError, match="incomplete"):
        read_state(io.BytesIO(file.getvalue()))


def forge(header: dict, data: bytes) -> bytes:
    """A file of `header` and `data` under a true hash."""

    def spell(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    header["__metadata__"].pop("sha256", None)
    header["__metadata__"]["sha256"] = sha256(spell(header) + data).hexdigest()
    text = spell(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def parts(content: bytes) -> tuple[dict, bytes]:
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


@pytest.mark.parametrize(("key", "value"), [("iteration", []), ("iteration", 3), ("tied", {}), ("format", None)])
def test_metadata_that_are_no_strings_are_refused(key, value, intact, victim):
    header, data = parts(intact)
    header["__metadata__"][key] = value
    assert "metadata that are not strings" in str(refuse(forge(header, data), victim))


@pytest.mark.parametrize(
    ("key", "value"),
    [("betas", None), ("betas", [0.9]), ("betas", ["a", "b"]), ("lr", "0.1"), ("lr", 10**400), ("eps", True)],
)
def test_settings_that_the_optimizer_cannot_have_are_refused(key, value, intact, victim):
    header, data = parts(intact)
    optimizer = json.loads(header["__metadata__"]["optimizer"])
    optimizer["groups"][0][key] = value
    header["__metadata__"]["optimizer"] = json.dumps(optimizer)
    assert f"its optimizer's {key} is" in str(refuse(forge(header, data), victim))


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
    with pytest.raises(CheckpointError):
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
