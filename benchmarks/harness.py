"""What every benchmark shares: contenders in turn, each in a fresh process; results with their circumstances.

A contender runs in a process of its own (`script --run NAME ...`) and reports one JSON object with "seconds" and
whatever else it measured, its peak memory included. Contenders take turns, A B C A B C, so that a drift of the
machine's speed falls on all of them alike; medians are compared.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"


def make_parser(description: str | None, contenders: Collection[str], *, repeats: int = 5) -> argparse.ArgumentParser:
    """The arguments of every comparison; `--run` is for the processes that it starts.

    Args:
        description: The script's docstring.
        contenders: What `--only` and `--run` can name.
        repeats: How often each contender runs unless given.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help=f"some of {','.join(contenders)}, separated by commas (default: all that can)")
    parser.add_argument("--name", help="name of the result file, instead of the usual")
    parser.add_argument("--run", choices=contenders, help=argparse.SUPPRESS)
    return parser


def chosen_names(chosen: argparse.Namespace, able: Iterable[str]) -> list[str]:
    """The contenders that `--only` names, or else all that are able to take part."""
    return chosen.only.split(",") if chosen.only else [*able]


def warm_page_cache(file: Path) -> None:
    """Read a file once, so that no contender waits for the disk."""
    with file.open("rb") as content:
        while content.read(1 << 24):
            pass


def run_in_turn(
    script: Path,
    names: Sequence[str],
    arguments: Sequence[str],
    *,
    repeats: int,
    num_threads: int,
    limit_seconds: float = math.inf,
) -> dict[str, list[dict[str, Any]]]:
    """Run every contender `repeats` times, in turn; returns each one's measurements in order.

    A contender that is not done after `limit_seconds` is stopped and takes no further turn; its list is empty.
    """
    threads = str(num_threads)
    environment = os.environ | {
        "RAYON_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "true" if num_threads > 1 else "false",
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    out_of_time: set[str] = set()
    for turn in range(repeats):
        for name in names:
            if name in out_of_time:
                continue
            measured = run_once([sys.executable, str(script), "--run", name, *arguments], environment, limit_seconds)
            if measured is None:
                out_of_time.add(name)
                runs[name].clear()
                print(f"  turn {turn + 1}/{repeats}  {name:<16} over {limit_seconds:g} s", file=sys.stderr)
                continue
            runs[name].append(measured)
            print(f"  turn {turn + 1}/{repeats}  {name:<16} {measured['seconds']:.6g} s", file=sys.stderr)
    return runs


def run_once(command: list[str], environment: dict[str, str], limit_seconds: float) -> dict[str, Any] | None:
    """What one contender reported; None where it was stopped."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    timer = threading.Timer(min(limit_seconds, threading.TIMEOUT_MAX), process.kill)
    timer.start()
    printed = process.stdout.read()
    status = process.wait()
    was_stopped = not timer.is_alive()
    timer.cancel()
    if was_stopped:
        return None
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return json.loads(printed.splitlines()[-1]) | {"process_seconds": time.perf_counter() - began}


def report(measurement: dict[str, Any]) -> None:
    """Hand a contender's measurement to the parent, with the peak memory of this process in bytes."""
    print(json.dumps(measurement | {"peak_memory_bytes": peak_memory_bytes()}))


def peak_memory_bytes() -> int:
    """The most memory this process has had at a time.

    Read from Linux itself where there is one: what getrusage says begins with the size of the process that started
    this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def summarise(runs: dict[str, list[dict[str, Any]]], ours: str, num_bytes: int | None = None) -> list[dict[str, Any]]:
    """A row a contender: medians of seconds and peak memory, and how many times `ours` is faster.

    Args:
        runs: What `run_in_turn` returned; a contender without measurements ran out of time.
        ours: The contender whom the others are compared with.
        num_bytes: The text's, for a column of megabytes a second.
    """
    middle = {name: median(run["seconds"] for run in measured) for name, measured in runs.items() if measured}
    rows: list[dict[str, Any]] = []
    for name, measured in runs.items():
        if not measured:
            rows.append({"name": name, "out_of_time": True})
            continue
        row = {
            "name": name,
            "median_seconds": middle[name],
            "min_seconds": min(run["seconds"] for run in measured),
            "max_seconds": max(run["seconds"] for run in measured),
            "median_peak_memory_bytes": median(run["peak_memory_bytes"] for run in measured),
        }
        if num_bytes is not None:
            row["megabytes_per_second"] = num_bytes / middle[name] / 1e6
        if ours in middle:
            row["times_slower_than_ours"] = middle[name] / middle[ours]
        row["extra"] = {key: value for key, value in measured[-1].items() if key not in ("seconds", "process_seconds")}
        rows.append(row)
    return rows


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    """The summary for a person."""
    print(title)
    for row in rows:
        if "out_of_time" in row:
            print(f"  {row['name']:<22} out of time")
            continue
        speed = f"{row['megabytes_per_second']:>8.1f} MB/s" if "megabytes_per_second" in row else ""
        ratio = f"{row['times_slower_than_ours']:>7.2f} x ours" if "times_slower_than_ours" in row else ""
        print(
            f"  {row['name']:<22} {row['median_seconds']:>11.6g} s"
            f"   ({row['min_seconds']:.6g} - {row['max_seconds']:.6g})"
            f"   {row['median_peak_memory_bytes'] / 1e6:>8.0f} MB   {speed}   {ratio}"
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


def write_comparison(name: str, chosen: argparse.Namespace, packages: Iterable[str], content: dict[str, Any]) -> None:
    """Write the result of a comparison, and say where.

    Args:
        name: The result's usual name.
        chosen: What the parser of `make_parser` returned.
        packages: Those compared with homespun, whose versions count.
        content: What was compared on what, and what came of it.
    """
    settings = {"num_threads": chosen.threads, "repeats": chosen.repeats, "versions": versions("homespun", *packages)}
    print(f"wrote {write_result(chosen.name or name, settings | content)}")
