"""The output head: logits and losses are computed here and nowhere else."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model import ops
from homespun.model.layers import Embedding, Linear
from homespun.model.ops.reference import Reduction, soft_cap, token_losses
from homespun.shapes import Device, Dtype, HiddenBTD, TokensBT


class Head(Linear):
    """The output head: hidden states to logits, or to losses without holding all logits at once.

    Args:
        softcap: Bound of the logits, as in `homespun.model.ops.reference.soft_cap`.
    """

    softcap: float | None = None

    def __init__(
        self,
        d_model: int,
        vocab_size: int,
        device: Device = None,
        dtype: Dtype = None,
        *,
        softcap: float | None = None,
    ) -> None:
        super().__init__(d_model, vocab_size, device, dtype)
        self.softcap = softcap

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... V"]:
        logits = super().forward(x)
        return logits if self.softcap is None else soft_cap(logits, self.softcap)

    def loss(
        self, hidden: Float[Tensor, "*B D"], targets: Int[Tensor, "*B"], reduction: Reduction = "mean"
    ) -> Float[Tensor, ""]:
        """Return the mean negative log-likelihood of `targets`, in nats, which training minimizes, or their sum."""
        hidden_ND, targets_N = hidden.flatten(0, -2), targets.flatten()
        return ops.linear_cross_entropy(hidden_ND, self.weight, targets_N, reduction, softcap=self.softcap)

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

    def __init__(self, table: Embedding, softcap: float | None = None) -> None:
        nn.Module.__init__(self)
        self.softcap = softcap
        # In a tuple, where nn.Module does not look: a registered table would appear under two names.
        self._table = (table,)

    @property
    def weight(self) -> nn.Parameter:  # pyright: ignore[reportIncompatibleVariableOverride] # read, never assigned
        return self._table[0].weight

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Leave the values to the table, which draws them."""
