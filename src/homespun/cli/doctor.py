"""`homespun doctor`: what this machine offers, what will be chosen, and why."""

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from homespun.cli.parsing import CommandParser


def main(arguments: list[str]) -> int:
    """Print what a run started now and here would find."""
    CommandParser(
        prog="homespun doctor",
        description="What this machine offers, what a run would choose by itself, and why. Measures for a second.",
    ).parse_args(arguments)
    import homespun

    print(f"homespun   {homespun.__version__}, Python {platform.python_version()}, {platform.platform()}")
    free = shutil.disk_usage(Path.cwd()).free
    print(f"disk       {free / 1e9:.1f} GB free here; a checkpoint takes 12 bytes a parameter")
    print(f"tokenizer  {'ready: the Rust core is built' if find_spec('homespun._native') else _NO_CORE}")
    if find_spec("torch") is None:
        print("training   not installed: pip install 'homespun[train]'")
        return 0
    # Imported here: it is torch that takes the time.
    import torch

    from homespun.runs.device import choose_device, choose_precision
    from homespun.training.environment import device_name, find_peak

    threads = torch.get_num_threads()
    print(f"processor  {device_name('cpu')}, {os.cpu_count()} cores, {threads} used by torch {torch.__version__}")
    device = choose_device("auto")
    precision = choose_precision("auto", device.value)
    print(f"device     {device}")
    print(f"precision  {precision}")
    print(f"peak       {find_peak(device.value, precision.value)}")
    return 0


_NO_CORE = "not built: run `make setup`"
