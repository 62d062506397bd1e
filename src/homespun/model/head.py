"""The output head: logits and losses are computed here and nowhere else."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model import ops
from homespun.model.layers import Embedding, Linear
from homespun.model.ops.reference import Reduction, token_losses
from homespun.shapes import HiddenBTD, TokensBT


class Head(Linear):
    """The output head: hidden states to logits, or to losses without holding all logits at once."""

    def loss(
        self, hidden: Float[Tensor, "*B D"], targets: Int[Tensor, "*B"], reduction: Reduction = "mean"
    ) -> Float[Tensor, ""]:
        """Return the mean negative log-likelihood of `targets`, in nats, which training minimizes, or their sum."""
        return ops.linear_cross_entropy(hidden.flatten(0, -2), self.weight, targets.flatten(), reduction)

    @torch.no_grad()
    def token_losses(self, hidden_BTD: HiddenBTD, targets_BT: TokensBT) -> Float[Tensor, "B T"]:
        """Return the negative log-likelihood of each target, in nats, in float32 at least.

        Logits are computed for one sequence at a time: those of a batch are the largest tensor of a small model, and
        allocating them again for each batch costs more than the arithmetic.
        """
        sequences = zip(hidden_BTD, targets_BT, strict=True)
        return torch.stack([token_losses(self(hidden_TD), targets_T) for hidden_TD, targets_T in sequences])


class TiedHead(Head):
    """A head without parameters of its own: its weight is the input table's.

    It refers to the table's module, not to the Parameter: `.to_empty()` and sharding replace parameters, and the two
    would no longer be one. State dicts name the shared tensor once, as `token_embeddings.weight`.
    """

    def __init__(self, table: Embedding) -> None:
        nn.Module.__init__(self)
        # In a tuple, where nn.Module does not look: a registered table would appear under two names.
        self._table = (table,)

    @property
    def weight(self) -> nn.Parameter:  # pyright: ignore[reportIncompatibleVariableOverride] # read, never assigned
        return self._table[0].weight

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Leave the values to the table, which draws them."""
