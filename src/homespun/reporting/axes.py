"""Scales and ticks of the curves that Python draws; `page/scales.js` draws them the same way."""

from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of `value`."""
        return self.start + (value - self.low) / (self.high - self.low or 1.0) * (self.end - self.start)

    def ticks(self, count: float) -> list[float]:
        """Return about `count` round values between `low` and `high`."""
        return linear_ticks(self.low, self.high, count)


def linear_ticks(low: float, high: float, count: float) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten from `low` to `high`, about `count` of them."""
    rough = (high - low) / max(1.0, count)
    if not 0 < rough < float("inf"):
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]
