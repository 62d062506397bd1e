"""What a model costs before it is built: parameters, FLOPs, memory and days, in exact integers and without torch."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.accounting.estimate import Estimate as Estimate
    from homespun.accounting.estimate import estimate_training as estimate_training
    from homespun.accounting.flops import forward_flops as forward_flops
    from homespun.accounting.flops import list_matrix_multiplies as list_matrix_multiplies
    from homespun.accounting.flops import training_flops as training_flops
    from homespun.accounting.machines import Machine as Machine
    from homespun.accounting.machines import find_machine as find_machine
    from homespun.accounting.memory import TrainingMemory as TrainingMemory
    from homespun.accounting.memory import training_memory as training_memory
    from homespun.accounting.parameters import count_parameters as count_parameters
    from homespun.accounting.parameters import parameter_shapes as parameter_shapes
    from homespun.accounting.presets import preset as preset

_HOMES = {
    "Estimate": "estimate",
    "Machine": "machines",
    "TrainingMemory": "memory",
    "count_parameters": "parameters",
    "estimate_training": "estimate",
    "find_machine": "machines",
    "forward_flops": "flops",
    "list_matrix_multiplies": "flops",
    "parameter_shapes": "parameters",
    "preset": "presets",
    "training_flops": "flops",
    "training_memory": "memory",
}
__all__ = [
    "Estimate",
    "Machine",
    "TrainingMemory",
    "count_parameters",
    "estimate_training",
    "find_machine",
    "forward_flops",
    "list_matrix_multiplies",
    "parameter_shapes",
    "preset",
    "training_flops",
    "training_memory",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
