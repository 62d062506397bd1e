"""`homespun doctor`: what this machine offers, what a run would choose, and why."""

import mmap
import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from homespun.cli.parsing import CommandParser
from homespun.errors import EXTRAS

_DESCRIPTION = "Show what this machine offers, what a run would choose by itself, and why. Measures for some seconds."
_PRODUCT_SECONDS = 1.5
"""For all columns of the table of products."""

_MIN_BUFFER_BYTES, _MAX_BUFFER_BYTES = 128 << 20, 1 << 30
"""Of the two buffers that are read and copied: larger than the caches, which not every system describes."""

_IDLE_LOAD = 0.5
"""Processes at work, on average over a minute, above which a measurement is disturbed."""

_LIBRARIES = ("kernels", "torch")
_CPUS = Path("/sys/devices/system/cpu")
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def main(arguments: list[str]) -> int:
    """Print what a run started here and now would find."""
    CommandParser("homespun doctor", _DESCRIPTION).parse_args(arguments)
    import homespun

    print_row("homespun", f"{homespun.__version__}, Python {platform.python_version()}, {platform.platform()}")
    free = shutil.disk_usage(Path.cwd()).free
    print_row("disk", f"{free / 1e9:.1f} GB free here; a checkpoint takes 12 bytes a parameter")
    is_built = find_spec("homespun._native") is not None
    print_row("tokenizer", "ready" if is_built else "the Rust core is not built: run `make setup`")
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        print_row(f"extra {extra}", f"not installed: pip install {' '.join(missing)}" if missing else "installed")
    print_row("huge pages", describe_huge_pages(_HUGE_PAGES))
    if not is_built:
        print_row("speed", "not measured: the Rust core is not built")
    elif any(find_spec(package) is None for package in EXTRAS["train"]):
        print_memory(os.cpu_count() or 1)
        print_row("products", "not measured: the extra train is not installed")
    else:
        print_choices()
        print_speed()
    return 0


def print_row(name: str, value: object) -> None:
    """Print one fact in the table's layout."""
    print(f"{name:<13} {value}")


def print_choices() -> None:
    """Print what a run would compute with, and why."""
    # Imported here: importing torch is what takes the time.
    import torch

    from homespun import _native
    from homespun.model.ops import OPERATIONS, choose_backend
    from homespun.runs.device import autocast, choose_device, choose_precision, device_name

    print_row("processor", f"{device_name('cpu')}, {os.cpu_count()} cores, torch {torch.__version__}")
    device = choose_device("auto")
    precision = choose_precision("auto", device.value)
    print_row("device", device)
    print_row("precision", precision)
    by_backend: dict[str, list[str]] = {}
    with autocast(device.value, precision.value):
        for operation in OPERATIONS:
            backend = choose_backend(operation, torch.empty(0, device=device.value))
            by_backend.setdefault(backend.name, []).append(operation)
    backends = "; ".join(f"{backend} for {', '.join(operations)}" for backend, operations in by_backend.items())
    print_row("backend", f"{backends}: the fastest on by default for {precision.value} on {device.value}")
    known = ", ".join(_native.instruction_levels())
    print_row("instructions", f"{_native.instruction_level()}: of those that the kernels know, this CPU has {known}")
    asked = os.environ.get("OMP_NUM_THREADS")
    reason = f"OMP_NUM_THREADS = {asked}" if asked else "as torch counts the cores; OMP_NUM_THREADS sets another number"
    print_row("threads", f"{torch.get_num_threads()}: {reason}")


def print_speed() -> None:
    """Print the peak of the device, and what of a CPU's peak products reach."""
    import torch

    from homespun.runs.device import choose_device, choose_precision
    from homespun.training.peak import find_core_peak, find_peak

    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > _IDLE_LOAD:
        print_row("load", f"{load:.1f}: other processes are at work, and lower the rates of memory and products")
    print_memory(torch.get_num_threads())
    device = choose_device("auto").value
    if device != "cpu":
        print_row("peak", find_peak(device, choose_precision("auto", device).value))
        print_row("products", f"not measured: a run computes on {device}")
        return
    hardware = choose_precision("auto", "cpu")
    peaks = {precision: find_peak("cpu", precision) for precision in dict.fromkeys(("float32", hardware.value))}
    for precision, peak in peaks.items():
        core = find_core_peak(precision) if torch.get_num_threads() > 1 else None
        print_row(f"peak {precision}", f"{peak}; {core.flops / 1e12:.3g} on one" if core else peak)
    if "bfloat16" not in peaks:
        print_row("peak bfloat16", f"none: {hardware.reason}")
    print_products({precision: peak.flops for precision, peak in peaks.items()})


def print_products(peaks: dict[str, float]) -> None:
    """Print the rates of a training step's products on the CPU, as a table.

    Args:
        peaks: FLOP/s by precision.
    """
    import torch

    from homespun import _native
    from homespun.training.product_rates import affordable_tokens, list_products, measure_products

    # Instructions without multiply-adds make the kernels a hundred times slower than the peak.
    in_use = _native.measure_multiply_adds(_native.instruction_level(), torch.get_num_threads())
    num_tokens = affordable_tokens(_PRODUCT_SECONDS, [min(in_use, peak) for peak in peaks.values()] * 2)
    products = list_products(num_tokens)
    # The kernels come first: torch's threads spin for a while after a product, on the cores that the kernels need.
    kernels = {precision: measure_products(products, "kernels", precision) for precision in peaks}
    rates = {precision: (kernels[precision], measure_products(products, "torch", precision)) for precision in peaks}
    print(f"\nproducts for {num_tokens:,} tokens, in GFLOP/s and as a share of the peak")
    print(f"{'':<23}" + "".join(f"{f'{precision}, {library}':>19}" for precision in peaks for library in _LIBRARIES))
    for row, product in enumerate(products):
        cells = [(rate[row], peak) for precision, peak in peaks.items() for rate in rates[precision]]
        print(f"{product.name:<23}" + "".join(f"{rate / 1e9:>13,.0f} {rate / peak:>5.0%}" for rate, peak in cells))


def print_memory(num_threads: int) -> None:
    """Print how fast memory is read, copied, and touched for the first time."""
    from homespun import _native

    num_bytes = min(max(_MIN_BUFFER_BYTES, 2 * find_cache_bytes(_CPUS)), _MAX_BUFFER_BYTES)
    read, copied = _native.measure_memory(num_bytes, num_threads)
    print_row("memory", f"{read / 1e9:.3g} GB/s read, {copied / 1e9:.3g} GB/s copied (read plus written)")
    microseconds = _native.measure_fresh_page(mmap.PAGESIZE) * 1e6
    print_row("fresh page", f"{microseconds:.3g} us for the first write to {mmap.PAGESIZE:,} bytes")


def find_cache_bytes(cpus: Path) -> int:
    """Return the bytes of all last-level caches that Linux lists below `cpus`; 0 where it lists none."""
    last: dict[str, tuple[int, int]] = {}
    for folder in cpus.glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            level = int((folder / "level").read_text())
            num_kibibytes = int((folder / "size").read_text().strip().removesuffix("K"))
            sharers = (folder / "shared_cpu_list").read_text().strip()
        except (OSError, ValueError):
            continue  # only a virtual machine's strange cache: the buffers have a least size
        last[sharers] = max(last.get(sharers, (0, 0)), (level, num_kibibytes << 10))
    top = max((level for level, _ in last.values()), default=0)
    return sum(num_bytes for level, num_bytes in last.values() if level == top)


def describe_huge_pages(setting: Path) -> str:
    """Say what Linux does about transparent huge pages; `setting` is its file."""
    try:
        chosen = setting.read_text(encoding="ascii").partition("[")[2].partition("]")[0]
    except OSError:
        return "no setting of this system"
    meaning = {
        "always": "memory is taken 2 MiB at a time where it is large",
        "madvise": "only where a program asks for them",
        "never": "none",
    }
    return f"{chosen}: {meaning.get(chosen, 'a setting that homespun does not know')}"
