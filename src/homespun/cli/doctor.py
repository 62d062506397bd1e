"""`homespun doctor`: what this machine offers, what a run would choose, and why."""

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from homespun.cli.parsing import CommandParser
from homespun.errors import EXTRAS

_DESCRIPTION = "Show what this machine offers, what a run would choose by itself, and why. Measures for a second."


def main(arguments: list[str]) -> int:
    """Print what a run started here and now would find."""
    CommandParser("homespun doctor", _DESCRIPTION).parse_args(arguments)
    import homespun

    print_row("homespun", f"{homespun.__version__}, Python {platform.python_version()}, {platform.platform()}")
    free = shutil.disk_usage(Path.cwd()).free
    print_row("disk", f"{free / 1e9:.1f} GB free here; a checkpoint takes 12 bytes a parameter")
    print_row("tokenizer", "ready" if find_spec("homespun._native") else "the Rust core is not built: run `make setup`")
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        print_row(f"extra {extra}", f"not installed: pip install {' '.join(missing)}" if missing else "installed")
    if find_spec("torch") is None:
        return 0
    # Imported here: importing torch is what takes the time.
    import torch

    from homespun.runs.device import choose_device, choose_precision, device_name
    from homespun.training.peak import find_peak

    threads = torch.get_num_threads()
    print_row("processor", f"{device_name('cpu')}, {os.cpu_count()} cores, {threads} used by torch {torch.__version__}")
    device = choose_device("auto")
    precision = choose_precision("auto", device.value)
    print_row("device", device)
    print_row("precision", precision)
    print_row("peak", find_peak(device.value, precision.value))
    return 0


def print_row(name: str, value: object) -> None:
    """Print one fact in the table's layout."""
    print(f"{name:<12} {value}")
