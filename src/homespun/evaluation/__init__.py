"""How well a model predicts held-out text: loss, perplexity, bits per byte."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.evaluation.evaluate import evaluate_dataset as evaluate_dataset
    from homespun.evaluation.evaluation import Evaluation as Evaluation

_HOMES = {"Evaluation": "evaluation", "evaluate_dataset": "evaluate"}
__all__ = ["Evaluation", "evaluate_dataset"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
