"""The record of one experiment: `NAME.json` with every figure, and how, where and when it was measured."""

import json
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from homespun.files import make_directory, write_text_atomically

RESULT_VERSION = 1

_NUMBERS = re.compile(r"\[\s+((?:[-+.\de]+,\s+)*[-+.\de]+)\s+\]")
"""A list of numbers, which json.dumps writes one a line."""

Scale = Literal["smoke", "cpu", "gpu"]
"""How much is done: seconds for a test, minutes on two CPU cores, or as much as the published work did."""


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """A figure of published work next to ours."""

    what: str
    source: str
    """Which work, such as "write-up (one H100)"."""
    published: float | str
    ours: float | str | None
    """The same figure of this experiment; null where there is none."""
    note: str
    """Whether the two can be compared, and if not, why."""


@dataclass
class Elapsed:
    """Time that a block took, filled in when it ends."""

    seconds: float = 0.0
    """Wall-clock."""
    cpu_seconds: float = 0.0
    """Processor seconds of all threads of this process: what load by other processes changes little."""


@contextmanager
def measure_time() -> Iterator[Elapsed]:
    """Measure the time of a block."""
    elapsed, began, cpu_began = Elapsed(), time.perf_counter(), time.process_time()
    try:
        yield elapsed
    finally:
        elapsed.seconds, elapsed.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """What an experiment found; `experiments/NAME.json`."""

    name: str
    question: str
    """What the experiment is to answer."""
    scale: Scale
    settings: dict[str, Any]
    """Everything that determines the figures, inputs by the name of the corpus."""
    figures: dict[str, Any]
    published: list[PublishedFigure]
    conclusions: list[str]
    """Sentences computed from the figures."""
    elapsed: Elapsed = field(default_factory=Elapsed)

    def write(self, out: Path, *, command: str, plots: Iterable[str] = (), packages: Iterable[str] = ()) -> Path:
        """Write `out`/NAME.json, and return its path.

        Args:
            out: A directory, made if absent.
            command: What was typed, without the paths of this machine.
            plots: Names of the plots next to it.
            packages: Those whose versions matter, homespun apart.

        Raises:
            StorageError: the disk refuses.
        """
        content = {
            "version": RESULT_VERSION,
            "name": self.name,
            "question": self.question,
            "scale": self.scale,
            "command": command,
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(self.elapsed.seconds, 3),
            "cpu_seconds": round(self.elapsed.cpu_seconds, 3),
            "machine": describe_machine(),
            "versions": {name: _version_of(name) for name in ("homespun", *packages)},
            "settings": self.settings,
            "figures": self.figures,
            "published": [asdict(figure) for figure in self.published],
            "conclusions": self.conclusions,
            "plots": sorted(plots),
        }
        make_directory(out)
        path = out / f"{self.name}.json"
        # No NaN: most readers of JSON refuse it, so an experiment says in words what has no value.
        text = json.dumps(content, indent=2, allow_nan=False)
        write_text_atomically(path, _NUMBERS.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text) + "\n")
        return path


def describe_machine() -> dict[str, Any]:
    """Processor, cores, system and Python; no names of hosts or users."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    lines = cpuinfo.read_text().split("\n\n")[0].splitlines()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name, family = values.get("model name", platform.machine()), values.get("cpu family")
    # Virtual machines cut the name short; the family still says which generation it is.
    return f"{name}, family {family}" if family else name


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
