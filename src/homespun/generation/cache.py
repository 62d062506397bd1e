"""What a model has worked out about the tokens it has seen, so that each new token costs one position, not all."""

from jaxtyping import Float
from torch import Tensor


class KeyValueCache:
    """Keys and values of up to `capacity` positions for each layer: the `KeyValueStore` that attention extends.

    Room is taken when it is needed, at least twice what was held, so that a long context costs memory only as far as it
    is used and a token is copied about once. All layers must be extended by the same tokens in turn.
    """

    def __init__(self, num_layers: int, capacity: int) -> None:
        self._capacity = capacity
        self._stores: list[tuple[Tensor, Tensor] | None] = [None] * num_layers
        self._lengths = [0] * num_layers

    @property
    def length(self) -> int:
        """Positions that every layer holds."""
        return self._lengths[-1]

    def clear(self) -> None:
        """Forget every position; the room is kept."""
        self._lengths = [0] * len(self._lengths)

    def extend(
        self, layer_index: int, key_BHTK: Float[Tensor, "B H T K"], value_BHTK: Float[Tensor, "B H T K"]
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"]]:
        """Append T new positions to a layer's store and return views of all S now in it, oldest first."""
        begin = self._lengths[layer_index]
        end = begin + key_BHTK.shape[-2]
        assert end <= self._capacity, f"{end} positions do not fit in {self._capacity}; the caller slides the window"
        keys, values = self._room(layer_index, end, key_BHTK, value_BHTK)
        keys[:, :, begin:end] = key_BHTK
        values[:, :, begin:end] = value_BHTK
        self._lengths[layer_index] = end
        return keys[:, :, :end], values[:, :, :end]

    def _room(self, layer_index: int, end: int, key_BHTK: Tensor, value_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        store = self._stores[layer_index]
        if store is None or store[0].shape[-2] < end:
            held = self._lengths[layer_index]
            batch, heads, _, width = key_BHTK.shape
            room = min(self._capacity, max(2 * held, end))
            larger = (
                key_BHTK.new_empty(batch, heads, room, width),
                value_BHTK.new_empty(batch, heads, room, width),
            )
            if store is not None:
                for new, old in zip(larger, store, strict=True):
                    new[:, :, :held] = old[:, :, :held]
            self._stores[layer_index] = store = larger
        return store


def window_start(num_tokens: int, context_length: int) -> int:
    """The first of `num_tokens` tokens that the model looks at when it predicts the next.

    As long as all fit in the context it is the first of all. Beyond, it moves by half a context at a time, so that the
    model sees at least half a context of the past and the cache must be filled anew only once in half a context:
    moved token by token, every position in the window would change and nothing could be kept.

    It depends on the number of tokens alone: to go on from a text gives what generating it in one go would have given.
    Example, context 4: up to 4 tokens start at 0, 5 and 6 tokens at 2, 7 and 8 at 4.
    """
    if num_tokens <= context_length:
        return 0
    stride = (context_length + 1) // 2
    return -(-(num_tokens - context_length) // stride) * stride
