"""What every config shares: checks that name the field in the user's own words.

Every check returns None or raises `ConfigError`; the caller passes the full name of the field as it stands in a
recipe, such as `optim.lr`.
"""

from collections.abc import Collection
from math import inf, isfinite

from homespun.errors import ConfigError


def check_at_least(field: str, value: float, least: float) -> None:
    """Refuse values below `least`, infinities and NaN."""
    if not value >= least:
        raise ConfigError(f"{field} = {value} is too small; it must be at least {least}")
    # A count may be an int too large for a float, which `isfinite` would not take.
    if value == inf:
        raise ConfigError(f"{field} = {value} must be finite")


def check_positive(field: str, value: float) -> None:
    """Refuse zero, negative values, infinities and NaN."""
    if not (value > 0 and isfinite(value)):
        raise ConfigError(f"{field} = {value} must be a finite number greater than 0")


def check_fraction(field: str, value: float, *, below_one: bool = False) -> None:
    """Refuse values outside [0, 1], or outside [0, 1) where `below_one`."""
    if not (0 <= value < 1 if below_one else 0 <= value <= 1):
        bound = "less than 1" if below_one else "at most 1"
        raise ConfigError(f"{field} = {value} must be at least 0 and {bound}")


def check_choice(field: str, value: str, choices: Collection[str]) -> None:
    """Refuse names that are not among `choices`."""
    if value not in choices:
        raise ConfigError(f"{field} = {value!r} is unknown; choose one of {', '.join(choices)}")


def check_path(field: str, value: str) -> None:
    """Refuse what no file system takes: nothing, and a NUL, which YAML writes as backslash and zero."""
    if not value or "\0" in value:
        raise ConfigError(f"{field} = {value!r:.80} is no path; name a file or a directory")
