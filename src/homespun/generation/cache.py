"""Keys and values of the positions that a model has seen, so that a new token costs one position, not all of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class KeyValueCache:
    """Keys and values of a batch of rows, layer by layer, each row filled to its own length.

    Slot s of a row holds its position s: rows are aligned to the left, so a row that grows or starts over moves no
    other. A pass over new tokens begins with `begin`; each layer then calls `extend`, as attention's `KeyValueStore`.

    Memory is allocated when needed, at least twice what was used, so a long context costs only as much as is used and
    a token is copied about once.
    """

    def __init__(self, num_layers: int, capacity: int) -> None:
        self._capacity = capacity
        self._stores: list[tuple[Tensor, Tensor] | None] = [None] * num_layers
        self.lengths: list[int] = []
        """Positions that each row holds, once the pass that `begin` announced is done."""

    def begin(
        self, rows: Sequence[int], starts: Sequence[int], num_new: Sequence[int], device: torch.device
    ) -> Int[Tensor, "B T"]:
        """Announce a pass over new tokens and return their positions; what a row held from its start on is dropped.

        Args:
            rows: Which rows of the cache the pass is about, ascending.
            starts: The position of each row's first new token.
            num_new: New tokens of each row. The pass is as long as the longest of them; what a shorter row writes
                behind its end is overwritten by its next token before any query may see it.
            device: Where the model is.
        """
        length = max(num_new)
        self.lengths += [0] * (rows[-1] + 1 - len(self.lengths))
        for row, start, count in zip(rows, starts, num_new, strict=True):
            self.lengths[row] = start + count
        self._positions_BT = torch.tensor(starts, device=device)[:, None] + torch.arange(length, device=device)
        self._end = max(starts) + length
        assert self._end <= self._capacity, f"{self._end} positions, {self._capacity} slots; the caller slides windows"
        self._rows_B = torch.tensor(rows, device=device)
        aligned = len(set(starts)) == 1
        # The common case, all rows at one position, is a slice; anything else is indexed.
        self._in_step = aligned and len(rows) == len(self.lengths)
        # Slots are positions: a query sees the slots up to its own. If all rows start at the same one, the queries are
        # the last T of S positions, which causal attention computes without a mask.
        slots_S = torch.arange(self._end, device=device)
        self._mask_B1TS = None if aligned else (slots_S <= self._positions_BT[..., None])[:, None]
        return self._positions_BT

    def extend(
        self, layer_index: int, key_BHTK: Float[Tensor, "B H T K"], value_BHTK: Float[Tensor, "B H T K"]
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"], Bool[Tensor, "B 1 T S"] | None]:
        """Store a layer's new keys and values; return the rows' slots and the mask of those a query may see.

        None for a mask: the queries are the last T of the S positions, and each sees those up to its own.
        """
        stores = self._allocate(layer_index, key_BHTK, value_BHTK)
        begin = self._end - key_BHTK.shape[-2]
        for store, new_BHTK in zip(stores, (key_BHTK, value_BHTK), strict=True):
            if self._in_step:
                store[:, :, begin : self._end] = new_BHTK
            else:
                # Two index tensors with a slice between them: their axes, B and T, come first.
                store[self._rows_B[:, None], :, self._positions_BT] = new_BHTK.transpose(1, 2)
        keys, values = (store[:, :, : self._end] for store in stores)
        if len(self._rows_B) < len(self.lengths):
            keys, values = keys[self._rows_B], values[self._rows_B]
        return keys, values, self._mask_B1TS

    def keep(self, rows: Sequence[int]) -> None:
        """Drop every row but these; they are numbered from 0 in this order."""
        self.lengths = [self.lengths[row] for row in rows]
        for index, stores in enumerate(self._stores):
            if stores is not None:
                kept = torch.tensor(rows, device=stores[0].device)
                self._stores[index] = (stores[0][kept], stores[1][kept])

    def _allocate(self, layer_index: int, key_BHTK: Tensor, value_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        stores = self._stores[layer_index]
        num_rows = len(self.lengths)
        held_rows, held = (0, 0) if stores is None else (stores[0].shape[0], stores[0].shape[2])
        if stores is None or held_rows < num_rows or held < self._end:
            _, num_heads, _, width = key_BHTK.shape
            shape = (num_rows, num_heads, max(held, min(self._capacity, max(2 * held, self._end))), width)
            # Zeros, not new_empty: a masked slot has weight 0, and 0 times a NaN of stale memory would be NaN.
            larger = (key_BHTK.new_zeros(shape), value_BHTK.new_zeros(shape))
            if stores is not None:
                for new, old in zip(larger, stores, strict=True):
                    new[:held_rows, :, :held] = old
            self._stores[layer_index] = stores = larger
        return stores


def window_start(num_tokens: int, context_length: int) -> int:
    """Return the first of `num_tokens` tokens that the model sees when it predicts the next.

    It is 0 while all of them fit in the context. After that it moves by half a context at a time, so that the model
    sees at least half a context and the cache is refilled only once in half a context: moved by one token at a time,
    every position in the window would change and nothing could be kept.

    It depends on the number of tokens alone: continuing a text gives what generating it at once would have given.
    Example, context 4: up to 4 tokens start at 0, 5 and 6 tokens at 2, 7 and 8 at 4.
    """
    if num_tokens <= context_length:
        return 0
    stride = (context_length + 1) // 2
    return -(-(num_tokens - context_length) // stride) * stride
