"""Which parameters weight decay holds back."""

from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float, *, decay_all: bool = False) -> list[dict[str, Any]]:
    """Split the parameters that are trained into those that decay and those that do not.

    Matrices decay, tables of embeddings among them. Vectors, such as the gains of a norm, do not: they are scales, for
    which zero is no neutral value. With `decay_all` everything is in the first group.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decaying = [parameter for parameter in trained if decay_all or parameter.ndim >= 2]
    resting = [parameter for parameter in trained if not (decay_all or parameter.ndim >= 2)]
    groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": resting, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
