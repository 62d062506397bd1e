"""The first 50 steps of the demo's recipe on a small storybook, as figures to compare with: tests/training/golden.

python tests/support/golden_curve.py    # writes them again; a minute at most
"""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from homespun.model.ops import EXACT_OPERATIONS, OPERATIONS, choose_backend
from homespun.recipe.data import Fingerprints
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.training.run import open_run
from homespun.typed_json import read_json

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "training" / "golden" / "demo_curve.json"
COMMAND = "python tests/support/golden_curve.py"
NUM_STEPS = 50
NUM_STORIES = 400
"""Fewer tokens than the steps read, so that the curve passes the end of an epoch."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a machine makes of the recipe."""

    command: str
    machine: dict[str, str]
    """What the bits depend on."""
    data: Fingerprints
    loss: list[float]
    grad_norm: list[float]


def find_machine() -> dict[str, str]:
    """Return what the bits of float32 training on this machine's CPU depend on."""
    x = torch.zeros(1)
    backends = sorted(
        {choose_backend(operation, x).name for operation in OPERATIONS if operation not in EXACT_OPERATIONS}
    )
    # Initial weights, and norms of norms, are torch's. With AVX2 and AVX-512 they were found to be the same.
    instructions = torch.backends.cpu.get_cpu_capability()
    found = {
        "backends": ", ".join(backends),
        "torch": torch.__version__.partition("+")[0],
        "torch_instructions": "AVX2 or AVX512" if instructions in ("AVX2", "AVX512") else instructions,
        "architecture": platform.machine(),
    }
    return found if backends == ["native"] else found | {"threads": str(torch.get_num_threads())}


def train_curve(folder: Path) -> Curve:
    """Prepare the data below `folder` and take the steps."""
    paths = {"source.train": "train.txt", "source.valid": "valid.txt"}
    paths |= {f"data.{name}": name for name in ("tokenizer", "train", "valid")}
    overrides = [
        *(f"--{key}={folder / path}" for key, path in paths.items()),
        f"--source.num_train_stories={NUM_STORIES}",
        "--source.num_valid_stories=5",
        "--execution.device=cpu",
        "--execution.precision=float32",
    ]
    config = load_recipe(ROOT / "recipes" / "demo.yaml", overrides)
    prepare(config)
    with open_run(config, folder / "run") as run:
        outcomes = [run.take_step() for _ in range(NUM_STEPS)]
        return Curve(
            command=COMMAND,
            machine=find_machine(),
            data=run.data.fingerprints(),
            loss=[outcome.loss for outcome in outcomes],
            grad_norm=[outcome.grad_norm for outcome in outcomes],
        )


def read_golden() -> Curve:
    """Return the curve that is checked in."""
    return read_json(GOLDEN, Curve)


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        GOLDEN.write_text(json.dumps(asdict(train_curve(Path(temporary))), indent=1) + "\n", encoding="utf-8")
