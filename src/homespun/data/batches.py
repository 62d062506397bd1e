"""Random batches for training."""

import numpy as np
import numpy.typing as npt
import torch

from homespun.config import check_at_least
from homespun.data.dataset import TokenDataset, check_context_length
from homespun.shapes import TokensBT


def get_batch(
    x: npt.NDArray[np.integer] | TokenDataset, batch_size: int, context_length: int, device: torch.device | str
) -> tuple[TokensBT, TokensBT]:
    """Draw windows at random: `batch_size` starts, uniform over all len(x) - context_length that have a next token.

    Starts come from torch's global generator, so that `torch.manual_seed` fixes them. Training itself takes
    `WindowSampler`, which repeats no window within an epoch.

    Args:
        x: Token ids: an array, memory-mapped or not, or a token data set.
        batch_size: Windows to draw.
        context_length: Tokens in each.
        device: The device of the result.

    Returns:
        Inputs, and targets: the same windows one token further.

    Raises:
        ConfigError: `batch_size` or `context_length` is below 1.
        DataError: `x` holds too few tokens for one window and the token after it.
    """
    check_at_least("batch_size", batch_size, 1)
    check_context_length(x, context_length)
    starts = torch.randint(len(x) - context_length, (batch_size,)).tolist()
    windows = torch.from_numpy(np.stack([x[start : start + context_length + 1] for start in starts]).astype(np.int64))
    if torch.device(device).type == "cuda":
        # Copies from pinned memory overlap with computation.
        windows = windows.pin_memory().to(device, non_blocking=True)
    else:
        windows = windows.to(device)
    return windows[:, :-1], windows[:, 1:]
