"""Argument parsing in which every refusal is one line, raised as `ConfigError` for `main` to print."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from homespun.errors import ConfigError, DataError
from homespun.files import check_is_file


class _HelpFormatter(argparse.HelpFormatter):
    """Fill paragraphs to the terminal's width; keep those with indented lines, such as examples, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(
            paragraph if "\n  " in paragraph else super(_HelpFormatter, self)._fill_text(paragraph, width, indent)
            for paragraph in paragraphs
        )


class CommandParser(argparse.ArgumentParser):
    """argparse that raises instead of printing usage and exiting, and reads `--top_k` as `--top-k`.

    Flags cannot be abbreviated: a new flag would otherwise change what an old command line means.
    """

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        super().__init__(prog, description=description, formatter_class=_HelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see `{self.prog} --help`")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse drops what a full disk or a closed pipe does not take, and reports success.
        print(message, end="", file=file)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        assert args is not None, "commands are given their arguments"
        return super().parse_known_args([self._normalized(argument) for argument in args], namespace)  # type: ignore

    def _normalized(self, argument: str) -> str:
        """Write a flag of the command with dashes, and a recipe's key, which has a dot, with underscores."""
        if not argument.startswith("--"):
            return argument
        name, equals, value = argument.partition("=")
        dashed = name.replace("_", "-")
        if dashed in self._option_string_actions:
            return dashed + equals + value
        if "." in name:
            name = "--" + name[2:].replace("-", "_")
        return name + equals + value


CHECKPOINT_HELP = 'a file, or "best": the one with the lowest validation loss (default: the latest)'


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


def parse_positive(text: str) -> int:
    """A whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    count = parse_count(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is too few; give at least 1")
    return count


def read_text(file: str) -> str:
    """Return the text of a file, or of standard input for "-", line ends as they are.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is not valid UTF-8; the message has the byte's offset.
    """
    if file != "-":
        check_is_file(Path(file), "a UTF-8 text", "name a text file, or - for standard input")
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = "standard input" if file == "-" else file
        raise DataError(f"{where}: byte {error.start} is not valid UTF-8; convert the text to UTF-8 first") from error
