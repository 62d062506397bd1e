"""Every random generator that training could draw from, saved and restored together."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from homespun.errors import CheckpointError


def rng_state() -> dict[str, Any]:
    """The state of Python's, NumPy's and torch's global generators, in values that JSON has."""
    # Third-party layers and augmentations draw from NumPy's global generator, so a bit-exact resume must keep it.
    name, keys, position, has_gauss, cached_gaussian = np.random.get_state(legacy=True)  # noqa: NPY002
    version, words, gauss_next = random.getstate()
    return {
        "python": [version, list(words), gauss_next],
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, cached_gaussian],
        "torch": _to_hex(torch.get_rng_state()),
        "cuda": [_to_hex(state) for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
        "mps": _to_hex(torch.mps.get_rng_state()) if torch.backends.mps.is_available() else "",
    }


def restore_rng_state(state: dict[str, Any]) -> None:
    """Put back what `rng_state` returned.

    Raises:
        CheckpointError: it was not `rng_state` that wrote this.
    """
    try:
        version, words, gauss_next = state["python"]
        random.setstate((version, tuple(words), gauss_next))
        np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
        torch.set_rng_state(_from_hex(state["torch"]))
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([_from_hex(device) for device in state["cuda"]])
        if state["mps"] and torch.backends.mps.is_available():
            torch.mps.set_rng_state(_from_hex(state["mps"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint's random state cannot be restored ({error!r}); it is from another version, "
            "so start the run anew under another name"
        ) from error


@contextmanager
def undisturbed_rng() -> Iterator[None]:
    """Whatever the block draws, the generators stand afterwards where they stood before."""
    state = rng_state()
    try:
        yield
    finally:
        restore_rng_state(state)


def _to_hex(state: torch.Tensor) -> str:
    return state.numpy().tobytes().hex()


def _from_hex(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
