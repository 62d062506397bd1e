"""Record what a run computes on, and when: versions, machine, choices with reasons, peak FLOP/s, sessions."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from homespun import _native
from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.kernels import num_threads
from homespun.records import RunDirectory, Session
from homespun.runs.device import Choice, device_name
from homespun.training.peak import Peak, find_peak
from homespun.typed_json import build_from_json, parse_json

_PACKAGES = ("homespun", "torch", "numpy", "safetensors")
_GIT_SECONDS = 10.0


def keep_environment(directory: RunDirectory, device: Choice, precision: Choice) -> Peak:
    """Write the run's environment to a file, and return the peak that is recorded there.

    A resumed run keeps the peak it began with, so that its utilisation refers to one number throughout.

    Raises:
        RunError: environment.json is there and states no peak.
    """
    path = directory.environment
    if not path.exists():
        peak = find_peak(device.value, precision.value)
        write_text_atomically(path, json.dumps(describe_environment(device, precision, peak), indent=2) + "\n")
        return peak
    try:
        return build_from_json(Peak, parse_json(path.read_bytes())["peak_flops"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: states no peak_flops ({error!r}); delete the file to measure it again") from error


def record_session(directory: RunDirectory, steps_done: int, computed_on: str) -> Session:
    """Add this process to the sessions in environment.json, and return what was added."""
    commit, changes = find_commit(Path())
    session = Session(
        began=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        steps_done=steps_done,
        version=version("homespun"),
        commit=commit,
        uncommitted_changes=changes,
        computed_on=computed_on,
    )
    values = parse_json(directory.environment.read_bytes())
    values["sessions"] = [asdict(each) for each in [*directory.read_sessions(), session]]
    write_text_atomically(directory.environment, json.dumps(values, indent=2) + "\n")
    return session


def describe_computation(device: str, precision: str) -> str:
    """Describe what the bits of a result depend on, besides recipe and data: equal descriptions give equal bits.

    Within a block of `compute_threads`: torch's own operations add in another order on another number of threads.
    """
    name, threads = device_name(device), num_threads()
    if device == "cpu":
        name += f" with {_native.instruction_level()}, {threads} thread{'s' if threads > 1 else ''}"
    return f"{name}, {precision}, homespun {version('homespun')}, torch {version('torch')}"


def find_commit(folder: Path) -> tuple[str | None, bool]:
    """Return the commit of the git working tree around `folder`, and whether tracked files differ from it.

    (None, False) where there is no working tree, no commit or no git, or git takes longer than a few seconds.
    """
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        # Without locks: this only looks, and must not get in the way of a git command in another terminal.
        found = subprocess.run(
            command,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, False
    lines = found.stdout.decode(errors="replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    if found.returncode or commit is None or commit == "(initial)":
        return None, False
    return commit, any(not line.startswith("#") for line in lines)


def describe_environment(device: Choice, precision: Choice, peak: Peak) -> dict[str, Any]:
    """The content of environment.json: enough to say where a figure comes from."""
    return {
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": {
            "cpu": device_name("cpu"),
            "num_cpus": os.cpu_count() or 1,
            "num_threads": num_threads(),
            "device": device_name(device.value),
        },
        "device": asdict(device),
        "precision": asdict(precision),
        "peak_flops": asdict(peak),
    }
