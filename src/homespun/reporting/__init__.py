"""Run directories in, tables, plots and one self-contained HTML file out; knows the records and no trainer."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.reporting.report import write_report as write_report

_HOMES = {"write_report": "report"}
__all__ = ["write_report"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
