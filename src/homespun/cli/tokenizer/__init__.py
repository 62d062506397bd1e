"""`homespun tokenizer`: count, train, encode, inspect, verify; only the module of the one called is imported."""

from importlib import import_module

from homespun.errors import ConfigError

COMMANDS = {
    "count": "count the pre-tokens of a corpus, as a file to train from",
    "train": "train a byte-level BPE tokenizer on a text file",
    "encode": "print the ids of a text",
    "inspect": "what a tokenizer is, and how it cuts a text",
    "verify": "compare its ids and merges with the reference's and other people's",
}


def main(arguments: list[str]) -> int:
    """Run the sub-command that `arguments` begin with.

    Raises:
        ConfigError: there is no such sub-command.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = [f"  {name:<8} {help_line}" for name, help_line in COMMANDS.items()]
        print("\n".join(["usage: homespun tokenizer COMMAND [ARGUMENTS]", "", *lines]))
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise ConfigError(f"`homespun tokenizer` has no command {name!r}; the commands are {', '.join(COMMANDS)}")
    return import_module(f"homespun.cli.tokenizer.{name}").main(rest)
