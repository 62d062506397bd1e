"""What every benchmark shares: contenders in turn, each in a fresh process; results with their circumstances.

A contender runs in a process of its own (`script --run NAME ...`) and prints one JSON object with "seconds" and
whatever else it measured; the parent adds the process's peak memory from the operating system. Contenders take turns,
A B C A B C, so that a drift of the machine's speed falls on all of them alike; medians are compared.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"


def run_in_turn(
    script: Path, names: Sequence[str], arguments: Sequence[str], *, repeats: int, num_threads: int
) -> dict[str, list[dict[str, Any]]]:
    """Run every contender `repeats` times, in turn; returns each one's measurements in order."""
    threads = str(num_threads)
    environment = os.environ | {
        "RAYON_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "true" if num_threads > 1 else "false",
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names:
            runs[name].append(run_once([sys.executable, str(script), "--run", name, *arguments], environment))
            print(f"  turn {turn + 1}/{repeats}  {name:<12} {runs[name][-1]['seconds']:.3f} s", file=sys.stderr)
    return runs


def run_once(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run one contender and return what it printed, with its peak memory in bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {os.waitstatus_to_exitcode(status)}")
    return json.loads(printed.splitlines()[-1]) | {
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "process_seconds": time.perf_counter() - began,
    }


def summarise(runs: dict[str, list[dict[str, Any]]], ours: str) -> list[dict[str, Any]]:
    """A row a contender: median seconds and peak memory, and how many times `ours` is faster."""
    middle = {name: median(run["seconds"] for run in measured) for name, measured in runs.items()}
    return [
        {
            "name": name,
            "median_seconds": middle[name],
            "min_seconds": min(run["seconds"] for run in measured),
            "max_seconds": max(run["seconds"] for run in measured),
            "median_peak_memory_bytes": median(run["peak_memory_bytes"] for run in measured),
            "times_slower_than_ours": middle[name] / middle[ours],
            "extra": {key: value for key, value in measured[-1].items() if key not in ("seconds", "process_seconds")},
        }
        for name, measured in runs.items()
    ]


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    """The summary for a person."""
    print(title)
    for row in rows:
        print(
            f"  {row['name']:<22} {row['median_seconds']:>9.3f} s"
            f"   ({row['min_seconds']:.3f} - {row['max_seconds']:.3f})"
            f"   {row['median_peak_memory_bytes'] / 1e6:>8.0f} MB   {row['times_slower_than_ours']:>7.2f} x ours"
        )


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the packages compared."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write_result(name: str, content: dict[str, Any]) -> Path:
    """Write `results/NAME.json` with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    dated = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()} | content
    path.write_text(json.dumps(dated, indent=2) + "\n", encoding="utf-8")
    return path
