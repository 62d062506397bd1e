"""The from-scratch rule, read off the package's syntax trees. Oracle: planted breaches that must be caught."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src" / "homespun"

# What may be taken from each part of torch that has ready-made layers, losses and optimizers.
ALLOWED = {
    "torch.nn": {"Parameter", "Module", "ModuleList", "ModuleDict", "Sequential", "ParameterList", "init"},
    "torch.nn.init": {"trunc_normal_"},
    "torch.optim": {"Optimizer"},
}
FORBIDDEN_PARTS = (
    "torch.nn.functional",
    "torch.nn.attention",
    "torch.nn.utils",
    "torch.nn.parallel",
    "torch.nn.modules",
    "torch.ops",
    "torch._C",
    "torch._VF",
)
# The same kernels by a back door, as functions or methods.
FORBIDDEN_CALLS = {
    "softmax",
    "log_softmax",
    "rms_norm",
    "layer_norm",
    "native_layer_norm",
    "embedding",
    "cross_entropy",
    "cross_entropy_loss",
    "nll_loss",
    "scaled_dot_product_attention",
}
REACHES_BY_NAME = {"getattr", "import_module", "__import__", "methodcaller", "attrgetter"}
FORBIDDEN_PACKAGES = {"tokenizers", "tiktoken", "sentencepiece", "regex", "transformers"}
# The one command that compares us with other people's tokenizers.
MAY_IMPORT_PEERS = {"cli/tokenizer/peers.py"}


class Guard(ast.NodeVisitor):
    """Collects the breaches of one file, resolving the names that imports bind."""

    def __init__(self, *, peers_allowed: bool = False) -> None:
        self.breaches: list[str] = []
        self.bound: dict[str, str] = {}
        self.peers_allowed = peers_allowed

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.check_path(alias.name, node)
            self.bound[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            path = f"{node.module}.{alias.name}"
            self.check_path(path, node)
            self.bound[alias.asname or alias.name] = path

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = self.resolve(node)
        if path.startswith("torch."):
            self.check_path(path, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = called_name(node)
        ours = self.resolve(node.func).startswith("homespun.")
        if isinstance(node.func, ast.Attribute) and called in FORBIDDEN_CALLS and not ours:
            self.report(node, f"calls .{called}(...)")
        if called in REACHES_BY_NAME:
            for argument in node.args:
                self.check_name(argument, node)
        self.generic_visit(node)

    def check_name(self, argument: ast.expr, node: ast.AST) -> None:
        """A string handed to getattr(torch, "softmax") or import_module("torch.nn.functional")."""
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            self.check_path(argument.value, node)
            if argument.value.split(".")[-1] in FORBIDDEN_CALLS:
                self.report(node, f"reaches for {argument.value!r}")

    def resolve(self, node: ast.expr) -> str:
        """The dotted path of a chain of attributes, its first name replaced by what an import bound it to."""
        if isinstance(node, ast.Attribute):
            return f"{self.resolve(node.value)}.{node.attr}"
        return self.bound.get(node.id, "") if isinstance(node, ast.Name) else ""

    def check_path(self, path: str, node: ast.AST) -> None:
        if path.split(".")[0] in FORBIDDEN_PACKAGES and not self.peers_allowed:
            self.report(node, f"imports {path}")
        for part in FORBIDDEN_PARTS:
            if path == part or path.startswith(part + "."):
                self.report(node, f"uses {path}")
        for part, names in ALLOWED.items():
            name = path.removeprefix(part + ".").split(".")[0] if path.startswith(part + ".") else None
            if name is not None and name not in names:
                self.report(node, f"uses {path}")
        last = path.split(".")[-1]
        if path.startswith("torch.") and (last.startswith("_fused_") or last in FORBIDDEN_CALLS):
            self.report(node, f"uses {path}")

    def report(self, node: ast.AST, what: str) -> None:
        self.breaches.append(f"line {getattr(node, 'lineno', 0)}: {what}")


def called_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def breaches_of(source: str, *, peers_allowed: bool = False) -> list[str]:
    guard = Guard(peers_allowed=peers_allowed)
    guard.visit(ast.parse(source))
    return guard.breaches


def test_package_is_from_scratch():
    found = []
    for file in sorted(ROOT.rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        breaches = breaches_of(file.read_text(encoding="utf-8"), peers_allowed=name in MAY_IMPORT_PEERS)
        found += [f"{name}: {breach}" for breach in breaches]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn.functional as F",
        "from torch.nn import functional",
        "from torch.nn.functional import silu",
        "from torch import nn\nnn.Linear(2, 2)",
        "import torch.nn as layers\nlayers.Embedding(2, 2)",
        "import torch\ntorch.nn.LayerNorm(3)",
        "from torch.nn import RMSNorm",
        "import torch as t\nt.nn.functional.linear",
        "import torch\ntorch.optim.AdamW",
        "from torch.optim import AdamW",
        "from torch.optim.adamw import AdamW",
        "import torch\ntorch.nn.init.xavier_uniform_",
        "from torch.nn.utils import clip_grad_norm_",
        "import torch\ntorch.softmax(x, -1)",
        "x.softmax(-1)",
        "x.log_softmax(dim=-1)",
        "from torch import softmax",
        "import torch\ntorch.rms_norm(x, (3,))",
        "import torch\ntorch.embedding(w, i)",
        "import torch\ntorch.ops.aten.mm(a, b)",
        "import torch\ntorch._C._nn.linear",
        "import torch\ntorch._fused_adamw_(a)",
        "import torch\ngetattr(torch, 'softmax')",
        "from importlib import import_module\nimport_module('torch.nn.functional')",
        "from torch.nn.parallel import DistributedDataParallel",
        "import tiktoken",
        "from tokenizers import Tokenizer",
        "import regex as re",
        "import transformers",
    ],
)
def test_planted_breaches_are_caught(source):
    assert breaches_of(source)


@pytest.mark.parametrize(
    "source",
    [
        "from torch import nn\nclass Linear(nn.Module): ...\nnn.Parameter(x)\nnn.init.trunc_normal_(x)",
        "import torch\nclass SGD(torch.optim.Optimizer): ...",
        "import torch\ntorch._foreach_mul_(a, b)\nx.gather(0, i).logsumexp(-1)\ntorch.sigmoid(x)",
        "from homespun.model.layers import softmax\nsoftmax(x, -1)",
        "import re",
    ],
)
def test_what_the_rule_allows_passes(source):
    assert not breaches_of(source)
