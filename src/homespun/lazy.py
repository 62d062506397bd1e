"""Packages that import their modules on first use (PEP 562), each public name written once, in the package's stub."""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

from homespun.errors import MissingPackageError


def exports(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for the package whose `__init__.py` is `file`.

    The names come from the `__init__.pyi` next to it, which type checkers read as well. Its lines are
    `from module import name as name`, or `from package import module as module` for a module itself.
    """

    @cache
    def names() -> dict[str, str]:
        return _read_stub(Path(file).with_suffix(".pyi"))

    def load(name: str) -> object:
        if name == "__all__":
            return sorted(names())
        # Dunder names are looked up by the import system all the time; none of them is exported.
        if name.startswith("__") or name not in names():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(names()[name])
        except ModuleNotFoundError as error:
            missing = MissingPackageError.for_import(error, f"{package}.{name}")
            raise missing or error from error
        return getattr(module, name) if module.__name__ != f"{package}.{name}" else module

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names()})

    return load, list_names


def _read_stub(stub: Path) -> dict[str, str]:
    """Map each name that `stub` exports to the module to import for it."""
    homes = {}
    for line in stub.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["from"]:
            _, module, _, name, _, _ = words
            homes[name] = f"{module}.{name}" if module == "homespun" else module
    return homes
