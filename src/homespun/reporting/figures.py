"""Numbers as people read them; `page/scales.js` writes them the same way."""

from math import floor, isfinite, log10

NARROW_SPACE = "\u202f"
_SUFFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def significant(value: float, digits: int = 3) -> str:
    """Write `value` with so many significant digits and no trailing zeros, as in 0.00125 or 3e-7."""
    if value == 0 or not isfinite(value):
        return "0" if value == 0 else str(value)
    size = abs(value)
    if size < 1e-4 or size >= 1e15:
        mantissa, exponent = f"{value:.{max(0, digits - 2)}e}".split("e")
        return f"{_trim(mantissa)}e{int(exponent)}"
    return _trim(f"{value:.{min(12, max(0, digits - 1 - floor(log10(size))))}f}")


def compact(value: float, digits: int = 3) -> str:
    """Write a large number with a suffix, as in 2.87 M."""
    for size, suffix in _SUFFIXES:
        if abs(value) >= size and isfinite(value):
            return f"{significant(value / size, digits)}{NARROW_SPACE}{suffix}"
    return significant(value, digits)


def flops(value: float) -> str:
    """Write a number of FLOPs, for which everybody writes G rather than B."""
    return compact(value).replace("B", "G")


def duration(seconds: float, digits: int = 3) -> str:
    """Write a time in seconds, minutes or hours."""
    if seconds < 120:
        return f"{significant(seconds, digits)}{NARROW_SPACE}s"
    if seconds < 7200:
        return f"{significant(seconds / 60, digits)}{NARROW_SPACE}min"
    return f"{significant(seconds / 3600, digits)}{NARROW_SPACE}h"


def spoken_duration(seconds: float) -> str:
    """Write a time for a sentence, as in 4.2 minutes."""
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{significant(seconds / size, 3)} {name}"
    return f"{significant(seconds, 3)} seconds"


def grouped(value: float) -> str:
    """Write a count in full, as in 2,867,200; one of 300 digits as a power of ten."""
    return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"


def fixed(value: float, decimals: int = 4) -> str:
    """Write a measure with so many decimals."""
    return f"{value:.{decimals}f}" if abs(value) < 1e9 else f"{value:.3g}"


def signed(value: float, decimals: int = 4) -> str:
    """Write a difference with its sign; the minus is as wide as the plus."""
    return fixed(value, decimals).replace("-", "\u2212") if value < 0 else f"+{fixed(value, decimals)}"


def percent(share: float) -> str:
    """Write a share of 1 in per cent."""
    return f"{significant(100 * share, 3)}{NARROW_SPACE}%"


def shorten(text: str, length: int) -> str:
    """Cut a name to so many characters, the last of which says so."""
    return text if len(text) <= length else f"{text[: length - 1]}\u2026"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, as in 1 run, 12 runs."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(words: list[str]) -> str:
    """Join words as a sentence does: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
