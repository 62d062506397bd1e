"""Print the packages that the project needs, one a line: its own and those of the extras named as arguments.

    python tools/requirements.py train track scale dev | pip install -r /dev/stdin -c constraints.txt

So that packages and the Rust build are separate steps of the Makefile, each with its own stamp and time.
"""

import sys
import tomllib
from pathlib import Path


def requirements(extras: list[str]) -> list[str]:
    """The project's requirements with those of `extras`, without references to itself."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [line for group in groups for line in group if not line.startswith("homespun[")]


if __name__ == "__main__":
    print("\n".join(["maturin>=1.9,<2", *requirements(sys.argv[1:])]))
