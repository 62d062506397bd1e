"""This machine as `homespun.accounting` needs it: its peaks, measured, and its memory."""

from homespun.accounting.cpu import PROCESS_BYTES
from homespun.accounting.machines import Machine, find_machine
from homespun.errors import ConfigError
from homespun.recipe.config import Device
from homespun.runs.device import choose_device, choose_precision, compute_threads, device_name, memory_of
from homespun.training.memory import resident_memory_bytes
from homespun.training.peak import find_peak


def measure_machine(device: Device, threads: int | None = None) -> Machine:
    """Return what a run on `device` would compute with; the peaks of a CPU are measured on `threads`, in a second.

    Raises:
        ConfigError: the device is not there, or the system does not say how much memory it has.
    """
    chosen = choose_device(device).value
    name, memory_bytes = device_name(chosen), memory_of(chosen)
    if memory_bytes is None:
        raise ConfigError("this system does not say how much memory it has; name a machine, and give its --memory")
    precisions = dict.fromkeys(("float32", choose_precision("auto", chosen).value))
    if chosen != "cpu":
        known = find_machine(name)
        peaks = known.peak_flops if known else {p: find_peak(chosen, p).flops for p in precisions}
        return Machine(name=name, memory_bytes=memory_bytes, peak_flops=peaks)
    # On the threads that a run would have, whatever its precision.
    with compute_threads("cpu", "float32", threads) as num_threads:
        peaks = {precision: find_peak("cpu", precision).flops for precision in precisions}
    return Machine(
        name=f"{name}, {num_threads} thread{'s' if num_threads > 1 else ''}",
        memory_bytes=memory_bytes,
        peak_flops=peaks,
        process_bytes=resident_memory_bytes() or PROCESS_BYTES,
    )
