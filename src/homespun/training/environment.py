"""Record what a run computes on: versions, machine, choices with their reasons, peak FLOP/s."""

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.records import RunDirectory
from homespun.runs.device import Choice, device_name
from homespun.training.peak import Peak, find_peak
from homespun.typed_json import build_from_json, parse_json

_PACKAGES = ("homespun", "torch", "numpy", "safetensors")


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


def describe_environment(device: Choice, precision: Choice, peak: Peak) -> dict[str, Any]:
    """The content of environment.json: enough to say where a figure comes from."""
    return {
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": {
            "cpu": device_name("cpu"),
            "num_cpus": os.cpu_count() or 1,
            "num_threads": torch.get_num_threads(),
            "device": device_name(device.value),
        },
        "device": asdict(device),
        "precision": asdict(precision),
        "peak_flops": asdict(peak),
    }
