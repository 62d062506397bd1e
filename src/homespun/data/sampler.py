"""Training windows without repetition; the position in the data is one number, the samples consumed."""

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from homespun.config import check_at_least
from homespun.data.dataset import TokenDataset, check_context_length
from homespun.data.permutation import FeistelPermutation
from homespun.seeding import derive_seed


class WindowSampler:
    """The samples number 0, 1, 2, ... of a data set: a function of data, context and seed alone.

    Every epoch has its own random offset below the context C, from which on windows do not overlap: window i holds the
    tokens offset + i*C ... offset + i*C + C, the last of which is a target only. Their order is a keyed permutation. So
    every token is a target once an epoch, except for at most C at either end, and resuming takes the number of samples
    consumed, whatever the batch sizes were.

        >>> sampler = WindowSampler(dataset, context_length=256, seed=0)
        >>> inputs, targets = sampler.batch(samples_consumed=0, batch_size=64)
    """

    def __init__(self, dataset: TokenDataset | npt.NDArray[np.integer], context_length: int, seed: int) -> None:
        """Sample from `dataset`.

        Args:
            dataset: Token ids: a data set, or an array.
            context_length: Tokens in a window.
            seed: The seed of offsets and order.

        Raises:
            ConfigError: the context is below 1.
            DataError: the data hold too few tokens for one window and the token after it.
        """
        check_context_length(dataset, context_length)
        self._dataset = dataset
        self._context_length = context_length
        self._seed = seed
        self._epoch_starts = [0]  # samples before each epoch; grows with the epochs requested

    def __repr__(self) -> str:
        return f"WindowSampler({len(self._dataset):,} tokens, context_length={self._context_length}, seed={self._seed})"

    def epoch_of(self, sample: int) -> int:
        """The epoch, counted from 0, that the sample number `sample` belongs to."""
        while self._epoch_starts[-1] <= sample:
            epoch = len(self._epoch_starts) - 1
            self._epoch_starts.append(self._epoch_starts[-1] + self.num_windows(epoch))
        return bisect_right(self._epoch_starts, sample) - 1

    def num_windows(self, epoch: int) -> int:
        """Samples in an epoch; its offset makes it one more or less."""
        return (len(self._dataset) - 1 - self.offset(epoch)) // self._context_length

    def offset(self, epoch: int) -> int:
        """The first token of an epoch's first window; less than the context where the data hold a single window."""
        num_windows, room = divmod(len(self._dataset) - 1, self._context_length)
        choices = self._context_length if num_windows > 1 else room + 1
        return derive_seed(self._seed, f"epoch {epoch}: offset") % choices

    def starts(self, samples_consumed: int, batch_size: int) -> npt.NDArray[np.int64]:
        """The first tokens of the next `batch_size` windows after `samples_consumed`."""
        check_at_least("samples_consumed", samples_consumed, 0)
        check_at_least("batch_size", batch_size, 1)
        batches: list[npt.NDArray[np.int64]] = []
        sample, end = samples_consumed, samples_consumed + batch_size
        while sample < end:
            epoch = self.epoch_of(sample)
            epoch_start, next_epoch_start = self._epoch_starts[epoch : epoch + 2]
            stop = min(end, next_epoch_start)
            order = FeistelPermutation(next_epoch_start - epoch_start, derive_seed(self._seed, f"epoch {epoch}: order"))
            windows = order(np.arange(sample - epoch_start, stop - epoch_start))
            batches.append(self.offset(epoch) + windows * self._context_length)
            sample = stop
        return np.concatenate(batches)

    def batch(self, samples_consumed: int, batch_size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The next `batch_size` samples after `samples_consumed`: inputs (B, T), and targets one token further."""
        starts = self.starts(samples_consumed, batch_size)
        windows = np.empty((batch_size, self._context_length + 1), np.int64)
        for row, start in enumerate(starts.tolist()):
            windows[row] = self._dataset[start : start + self._context_length + 1]
        return windows[:, :-1], windows[:, 1:]
