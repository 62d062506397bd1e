"""Feed one loader to a coverage-guided fuzzer (atheris, installed by hand: pip install atheris).

    python tests/fuzz/run.py LOADER [libFuzzer's options, such as -max_total_time=3600]

LOADER is a key of `loaders.LOADERS`. It ends at the first error that is not a HomespunError and leaves the input in
a file crash-*.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports] - installed by hand, for the current Pythons only

with atheris.instrument_imports(include=["homespun"]):
    import loaders


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in loaders.LOADERS:
        raise SystemExit(f"name a loader: {', '.join(loaders.LOADERS)}")
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as parent:
        directory, corpus = Path(parent) / "loaded", Path(parent) / "corpus"
        directory.mkdir()
        corpus.mkdir()
        (corpus / "seed").write_bytes(loaders.make_seed(name, directory))
        atheris.Setup([*sys.argv, str(corpus)], lambda content: loaders.check(name, directory, content) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
