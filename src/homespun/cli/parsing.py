"""Argument parsing in which every refusal is one line, raised as `ConfigError` for `main` to print."""

import argparse
from typing import NoReturn

from homespun.errors import ConfigError


class CommandParser(argparse.ArgumentParser):
    """argparse, raising instead of printing usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see `{self.prog} --help`")


def parse_size(text: str) -> int:
    """Bytes of a size such as 200MB, 1.5GiB or 4096.

    Raises:
        argparse.ArgumentTypeError: it is not a number with one of the units.
    """
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    number = text.rstrip("BbKkMmGgIi ")
    try:
        return int(float(number) * units[text[len(number) :].strip().upper()])
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write for example 200MB or 1.5GiB") from None


def parse_count(text: str) -> int:
    """A whole number, underscores allowed.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
