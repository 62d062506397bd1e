"""Permutations of 0 ... size-1 that need no memory: any element is computed on its own."""

import numpy as np
import numpy.typing as npt

from homespun.seeding import derive_seed

_NUM_ROUNDS = 8


class FeistelPermutation:
    """A pseudo-random permutation of 0 ... size-1, fixed by `seed`.

    A Feistel network: a number's bits are divided into two halves, and each half in turn is xored with a keyed hash of
    the other. Each round is invertible, so the network is a permutation of all numbers of so many bits, here of the
    fewest that hold `size`. A result of `size` or more is enciphered again until it is below (cycle walking): at most
    two passes on average.

    Source: Luby & Rackoff 1988, doi:10.1137/0217022; Black & Rogaway 2002, doi:10.1007/3-540-45760-7_9, section 3.
    """

    def __init__(self, size: int, seed: int) -> None:
        num_bits = (size - 1).bit_length()
        self._size = size
        self._low_bits = np.uint64(num_bits // 2)
        self._low_mask = np.uint64((1 << num_bits // 2) - 1)
        self._high_mask = np.uint64((1 << num_bits - num_bits // 2) - 1)
        self._keys = [np.uint64(derive_seed(seed, f"feistel round {number}")) for number in range(_NUM_ROUNDS)]

    def __call__(self, positions: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The element at each of `positions`, which are in 0 ... size-1."""
        values = self._encipher(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self._size)
        while len(outside):
            values[outside] = self._encipher(values[outside])
            outside = outside[values[outside] >= self._size]
        return values.astype(np.int64)

    def _encipher(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        low, high = values & self._low_mask, values >> self._low_bits
        for number, key in enumerate(self._keys):
            if number % 2:
                high = high ^ (_mix(low + key) & self._high_mask)
            else:
                low = low ^ (_mix(high + key) & self._low_mask)
        return high << self._low_bits | low


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Hash 64 bits to 64 bits.

    Source: Steele, Lea & Flood 2014 (SplitMix), doi:10.1145/2660193.2660195; variant 13 of Stafford's finalisers.
    """
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
