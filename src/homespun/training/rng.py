"""Every random generator that training could draw from, saved and restored together."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from homespun.seeding import derive_seed

_NUMPY_WORDS = 624


@dataclass(frozen=True, kw_only=True)
class RngState:
    """The state of Python's, NumPy's and torch's global generators, in types that JSON has; words are hexadecimal."""

    python: tuple[int, str, float | None]
    numpy: tuple[str, str, int, int, float]
    torch: str
    cuda: str
    """One state per device, separated by commas; empty without a GPU."""
    mps: str

    @classmethod
    def now(cls) -> "RngState":
        """Return the state of this process's generators."""
        # Third-party layers and augmentations draw from NumPy's global generator, so a bit-exact resume must keep it.
        name, keys, position, has_gauss, cached_gaussian = np.random.get_state(legacy=True)  # noqa: NPY002
        version, words, gauss_next = random.getstate()
        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return cls(
            python=(version, np.asarray(words, "<u4").tobytes().hex(), gauss_next),
            numpy=(
                str(name),
                np.asarray(keys, "<u4").tobytes().hex(),
                int(position),
                int(has_gauss),
                float(cached_gaussian),
            ),
            torch=_to_hex(torch.get_rng_state()),
            cuda=",".join(_to_hex(state) for state in devices),
            mps=_to_hex(torch.mps.get_rng_state()) if torch.backends.mps.is_available() else "",
        )

    def check(self) -> None:
        """Refuse an impossible state, by restoring it into generators of its own.

        Raises:
            ValueError: one cannot be restored.
        """
        try:
            random.Random().setstate(self._python_state)
            # NumPy would read past its words from a position beyond them.
            if not 0 <= self.numpy[2] <= _NUMPY_WORDS:
                raise ValueError(f"NumPy's position is {self.numpy[2]}, beyond its {_NUMPY_WORDS} words")
            np.random.RandomState().set_state(self._numpy_state)
            torch.Generator().set_state(_from_hex(self.torch))
            for state in self._cuda_states:
                torch.Generator("cuda").set_state(state)
        except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
            raise ValueError(f"its random state cannot be restored ({error})") from error

    def restore(self) -> None:
        """Set this process's generators; states of devices that are not here are left out."""
        random.setstate(self._python_state)
        np.random.set_state(self._numpy_state)  # noqa: NPY002
        torch.set_rng_state(_from_hex(self.torch))
        for device, state in enumerate(self._cuda_states):
            torch.cuda.set_rng_state(state, device)
        if self.mps and torch.backends.mps.is_available():
            torch.mps.set_rng_state(_from_hex(self.mps))

    @property
    def _python_state(self) -> tuple[Any, ...]:
        version, words, gauss_next = self.python
        return version, tuple(np.frombuffer(bytes.fromhex(words), "<u4").tolist()), gauss_next

    @property
    def _numpy_state(self) -> tuple[Any, ...]:
        name, keys, *rest = self.numpy
        return name, np.frombuffer(bytes.fromhex(keys), "<u4").astype(np.uint32), *rest

    @property
    def _cuda_states(self) -> Iterator[torch.Tensor]:
        # A run may resume on a machine with fewer devices, or none.
        states = self.cuda.split(",") if self.cuda and torch.cuda.is_available() else []
        return map(_from_hex, states[: torch.cuda.device_count()])


def seed_generators(seed: int) -> None:
    """Seed Python's and NumPy's generators for a run that begins; torch's are seeded where its weights are drawn.

    These two begin in another state in each process, so what a run draws from them, and what its checkpoints hold,
    would not be a function of its recipe.
    """
    random.seed(derive_seed(seed, "python"))
    np.random.seed(derive_seed(seed, "numpy") % 2**32)  # noqa: NPY002


@contextmanager
def undisturbed_rng() -> Iterator[None]:
    """Restore the generators after the block, whatever it draws."""
    state = RngState.now()
    try:
        yield
    finally:
        state.restore()


def _to_hex(state: torch.Tensor) -> str:
    return state.numpy().tobytes().hex()


def _from_hex(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
