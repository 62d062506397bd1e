"""How much memory a run has taken."""

import sys
from pathlib import Path

import torch


def resident_memory_bytes() -> int:
    """Return the memory that this process holds now, its libraries included; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    kibibytes = status.read_text(encoding="ascii", errors="replace").partition("VmRSS:")[2].split()
    return int(kibibytes[0]) * 1024 if kibibytes else 0


def peak_memory_bytes(device: str) -> int:
    """Return the most memory that this process has held so far; 0 where the system does not say.

    On a CUDA GPU it is what torch's allocator has given to tensors there, elsewhere the peak resident set of the
    process, which includes torch's libraries.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    # Rather than ru_maxrss, which on Linux begins with the memory of the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        kibibytes = status.read_text(encoding="ascii", errors="replace").partition("VmHWM:")[2].split()
        return int(kibibytes[0]) * 1024 if kibibytes else 0
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
