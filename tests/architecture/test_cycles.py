"""No file imports, directly or through others, a file that imports it. Oracle: planted circles."""

import ast
import re
from pathlib import Path

from homespun.lazy import _read_stub

ROOT = Path(__file__).resolve().parents[2]
RUST_PATH = re.compile(r"\b(crate|super)((?:::\w+)+)(?:::\{([^;]*?)\}(?=;|\s))?", re.DOTALL)


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Return the files of one circle of `imports`, or none, by depth-first search."""
    finished: set[str] = set()

    def visit(file: str, path: list[str]) -> list[str]:
        if file in path:
            return [*path[path.index(file) :], file]
        if file in finished:
            return []
        for other in sorted(imports.get(file, set())):
            if found := visit(other, [*path, file]):
                return found
        finished.add(file)
        return []

    return next((found for file in sorted(imports) if (found := visit(file, []))), [])


def rust_imports(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return what each module uses, its submodules included, by paths from the crate's root ("split::blocks").

    Tests do not count, nor what a module uses of those around it: `impl` blocks of one type may fill several files.
    """
    imports: dict[str, set[str]] = {}
    for module, source in sources.items():
        code = re.sub(r"//.*", "", source.partition("#[cfg(test)]\nmod tests {")[0])
        own = module.split("::") if module else []
        used = {"::".join([*own, name]) for name in re.findall(r"\bmod (\w+);", code)} & sources.keys()
        for start, path, group in RUST_PATH.findall(code):
            supers = len(re.match(r"(?:::super)*", path)[0]) // len("::super") + 1
            base = [] if start == "crate" else own[: len(own) - supers]
            names = [name for name in path.split("::") if name and name != "super"]
            for last in re.findall(r"(\w+(?:::\w+)*)", group) or [""]:
                full = [*base, *names, *(last.split("::") if last else [])]
                used |= {next("::".join(full[:n]) for n in range(len(full), -1, -1) if "::".join(full[:n]) in sources)}
        imports[module] = {name for name in used if name and not f"{module}::".startswith(f"{name}::")}
    return imports


def python_imports(sources: dict[str, str], exported: dict[str, dict[str, str]]) -> dict[str, set[str]]:
    """Return what each module imports, at its top or later; `exported` says where a package's names are defined."""
    imports: dict[str, set[str]] = {}
    for module, source in sources.items():
        used = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                for name in (alias.name for alias in node.names):
                    full = f"{node.module}.{name}"
                    used.add(full if full in sources else exported.get(node.module, {}).get(name, node.module))
        imports[module] = used & sources.keys()
    return imports


def rust_sources(crate: Path) -> dict[str, str]:
    files = [file for file in (crate / "src").rglob("*.rs") if file.name != "tests.rs"]
    names = {file: file.relative_to(crate / "src").with_suffix("").parts for file in files}
    return {
        "::".join(part for part in parts if part not in {"mod", "lib"}): file.read_text(encoding="utf-8")
        for file, parts in names.items()
    }


def test_rust_files_form_no_circle():
    for crate in sorted(ROOT.glob("crates/*/Cargo.toml")):
        assert circle(rust_imports(rust_sources(crate.parent))) == []


def test_python_files_form_no_circle():
    files = {file: file.relative_to(ROOT / "src").with_suffix("").parts for file in (ROOT / "src").rglob("*.py")}
    sources = {".".join(parts).removesuffix(".__init__"): file.read_text("utf-8") for file, parts in files.items()}
    stubs = {stub: stub.relative_to(ROOT / "src").parent.parts for stub in (ROOT / "src").rglob("__init__.pyi")}
    exported = {".".join(parts): _read_stub(stub) for stub, parts in stubs.items()}
    assert circle(python_imports(sources, exported)) == []


def test_planted_circles_are_caught():
    """Oracle: by hand. A path in the code counts as `use` does; comments, tests and the enclosing module do not."""
    rust = {
        "": "mod a; pub use a::A;",
        "a": "mod b; use b::B; use crate::c::{self, d::{D, E}};",
        "a::b": "use super::A; fn f() { crate::c::g() }",
        "c": "mod d; // crate::a",
        "c::d": "use crate::A;\n#[cfg(test)]\nmod tests {\nuse crate::a::A;",
    }
    expected = {"": {"a"}, "a": {"a::b", "c", "c::d"}, "a::b": {"c"}, "c": {"c::d"}, "c::d": set()}
    assert rust_imports(rust) == expected
    assert circle(expected) == []
    assert circle(rust_imports(rust | {"c::d": "fn f(x: crate::a::b::B) {}"})) == ["a::b", "c", "c::d", "a::b"]
    python = {"p": "", "p.a": "from p import B", "p.b": "def f():\n    import p.c", "p.c": "from p import a"}
    assert circle(python_imports(python, {"p": {"B": "p.b"}})) == ["p.a", "p.b", "p.c", "p.a"]
    assert circle(python_imports(python, {})) == []
