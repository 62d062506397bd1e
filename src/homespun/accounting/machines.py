"""What machines can do at best: peak FLOP/s by precision and memory, from their makers' data sheets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from homespun.config import check_choice, check_positive
from homespun.errors import ConfigError

Precision = Literal["float32", "tf32", "bfloat16", "float16"]
PRECISIONS = get_args(Precision)
_GB = 10**9
_TERA = 10**12


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One device: its memory and the most FLOP/s its matrix units reach on dense inputs.

    Raises:
        ConfigError: a rate is not a positive number, or a precision is unknown.
    """

    name: str
    memory_bytes: int
    peak_flops: dict[str, float]
    """FLOP/s by precision; a precision that is absent is one the device has no units for."""
    process_bytes: int | None = None
    """Of a CPU: resident memory of a process that trains, before it builds a model. None: the machine is a GPU."""

    def __post_init__(self) -> None:
        for precision, rate in self.peak_flops.items():
            check_choice("precision", precision, PRECISIONS)
            check_positive("peak_flops", rate)

    def peak(self, precision: str) -> float:
        """Return the peak FLOP/s of dense matrix multiplies.

        Raises:
            ConfigError: the device does not compute in that precision.
        """
        check_choice("precision", precision, PRECISIONS)
        if precision not in self.peak_flops:
            raise ConfigError(
                f"precision = {precision!r}: no peak is known for {self.name}, "
                f"which has {', '.join(self.peak_flops)}; choose one of these"
            )
        return self.peak_flops[precision]


def find_machine(device_name: str) -> Machine | None:
    """Return the table's entry for a name such as "A100" or "NVIDIA H100 80GB HBM3"; None if it is not there.

    Every word of an entry's key must be among the words of `device_name`, in any case; of several such entries the one
    with most words wins, so that "NVIDIA H100 PCIe" is not taken for the faster board. Where the name states its
    memory, as in "NVIDIA A100-SXM4-40GB", that replaces the table's. Laptop chips and slices of a device (MIG) are not
    in the table: their names contain those of faster ones.
    """
    words = set(_words(device_name))
    if words & {"laptop", "mig"}:
        return None
    # "4090" alone is clear enough.
    matching = [key for key in MACHINES if words.issuperset(word for word in _words(key) if word != "rtx")]
    if not matching:
        return None
    machine = MACHINES[max(matching, key=lambda key: len(_words(key)))]
    stated = [int(word[:-2]) * _GB for word in words if re.fullmatch(r"\d+gb", word)]
    return replace(machine, memory_bytes=stated[0]) if stated else machine


def get_machine(device_name: str) -> Machine:
    """Return the table's entry for a name that a user typed.

    Raises:
        ConfigError: it is not in the table.
    """
    machine = find_machine(device_name)
    if machine is None:
        raise ConfigError(
            f"machine = {device_name!r} is not in the table; known are {', '.join(MACHINES)}; "
            "for another one give its measured or published peak with --peak-tflops"
        )
    return machine


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _table(rows: Iterable[tuple[str, int, float, float, float, float]]) -> dict[str, Machine]:
    machines = {}
    for name, memory, *teraflops in rows:
        peaks = {precision: rate * _TERA for precision, rate in zip(PRECISIONS, teraflops, strict=True) if rate}
        machines[name] = Machine(name=name, memory_bytes=memory * _GB, peak_flops=peaks)
    return machines


# TFLOP/s without sparsity, matrix products accumulated in float32; 0: no units for it. Data sheets print the double
# figure of 2:4 sparsity for most boards since A100, halved here. A key's first word is the chip; further words
# distinguish its slower boards, by the driver's names.
MACHINES = _table(
    [
        # name, memory in GB, float32, tf32, bfloat16, float16
        ("V100", 16, 15.7, 0.0, 0.0, 125.0),
        ("V100 PCIe", 16, 14.0, 0.0, 0.0, 112.0),
        ("T4", 16, 8.1, 0.0, 0.0, 65.0),
        ("A100", 80, 19.5, 156.0, 312.0, 312.0),
        ("A10", 24, 31.2, 62.5, 125.0, 125.0),
        ("A10G", 24, 35.0, 35.0, 70.0, 70.0),
        ("A6000", 48, 38.7, 77.4, 154.8, 154.8),
        ("L4", 24, 30.3, 60.0, 121.0, 121.0),
        ("L40S", 48, 91.6, 183.0, 362.0, 362.0),
        ("H100", 80, 67.0, 494.7, 989.4, 989.4),
        ("H100 PCIe", 80, 51.2, 378.0, 756.0, 756.0),
        ("H100 NVL", 94, 60.0, 417.5, 835.0, 835.0),
        ("H200", 141, 67.0, 494.7, 989.4, 989.4),
        ("H200 NVL", 141, 60.0, 417.5, 835.0, 835.0),
        ("GH200", 96, 67.0, 494.7, 989.4, 989.4),
        ("B200", 180, 75.0, 1100.0, 2250.0, 2250.0),
        ("RTX 3090", 24, 35.6, 35.6, 71.2, 71.2),
        ("RTX 4090", 24, 82.6, 82.6, 165.2, 165.2),
        ("RTX 5090", 32, 104.8, 104.8, 209.5, 209.5),
        ("MI300X", 192, 163.4, 653.7, 1307.4, 1307.4),
    ]
)
