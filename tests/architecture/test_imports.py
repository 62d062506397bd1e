"""The house's floors: a room imports only from the floors below its own. Oracle: the rank table of docs/design."""

import ast
from pathlib import Path

import pytest

# A package may import only from ranks above its own line; never from its own rank.
RANKS = (
    ("errors",),
    (
        "_native",
        "cluster",
        "config",
        "entropy",
        "files",
        "kernels",
        "lazy",
        "locks",
        "progress",
        "records",
        "samples",
        "seeding",
        "shapes",
        "sweeps",
        "typed_json",
    ),
    ("storybook", "corpus", "model", "optim", "reporting"),
    ("tokenizer", "accounting", "checkpoint"),
    ("data", "generation"),
    ("evaluation", "interop", "recipe"),
    ("runs",),
    ("training",),
    ("experiments", "serving"),
    ("cli",),
    ("__init__", "__main__"),
)
RANK_OF = {name: rank for rank, names in enumerate(RANKS) for name in names}
# What the rule does not forbid but the design does; and what a flat rank must allow: records and locks are files, and
# tasks report their progress.
WITHIN_RANK = {
    ("records", "entropy"),
    ("records", "files"),
    ("records", "typed_json"),
    ("samples", "files"),
    ("samples", "records"),
    ("samples", "typed_json"),
    ("sweeps", "records"),
    ("sweeps", "typed_json"),
    ("locks", "files"),
    ("cluster", "progress"),
    ("kernels", "_native"),
}
ONLY = {
    "reporting": {"entropy", "errors", "records", "samples", "sweeps", "files"},
    "accounting": {"errors", "config", "model", "optim"},
    "storybook": {"config", "entropy", "errors", "files", "progress", "records", "seeding"},
}
ROOT = Path(__file__).resolve().parents[2] / "src" / "homespun"


def imports_of(source: str) -> set[str]:
    """First-level homespun packages that `source` imports; imports are always dotted in full."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("homespun.")}
    return found


def breaches(own: str, source: str) -> list[str]:
    """Why `source`, a file of the room `own`, imports what it may not."""
    found = []
    for other in sorted(imports_of(source) - {own}):
        if other in {"__version__", "lazy"}:  # lazy: how every package exports its names
            continue
        if other in ONLY.get(own, {other}) and (RANK_OF[other] < RANK_OF[own] or (own, other) in WITHIN_RANK):
            continue
        found.append(f"{own} imports homespun.{other}")
    return found


def test_imports_point_downward():
    found = []
    for file in sorted(ROOT.rglob("*.py")):
        own = file.relative_to(ROOT).parts[0].removesuffix(".py")
        found += [f"{file.relative_to(ROOT)}: {breach}" for breach in breaches(own, file.read_text(encoding="utf-8"))]
    assert not found


def test_accounting_takes_only_the_configs_of_model():
    for file in sorted((ROOT / "accounting").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("homespun.model"):
                assert node.module in {"homespun.model.config", "homespun.model.costs"}, file


def test_every_room_has_a_rank():
    rooms = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__pycache__"} <= set(RANK_OF)


@pytest.mark.parametrize(
    ("own", "source"),
    [
        ("model", "from homespun.recipe.config import RunConfig"),
        ("model", "from homespun import training"),
        ("tokenizer", "import homespun.checkpoint"),
        ("reporting", "from homespun.model.config import ModelConfig"),
    ],
)
def test_planted_breaches_are_caught(own, source):
    assert breaches(own, source)


def test_no_relative_imports():
    """A relative import would slip past `imports_of`."""
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), file
