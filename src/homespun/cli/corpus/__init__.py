"""`homespun corpus`: text to train on."""

from importlib import import_module

from homespun.errors import ConfigError

COMMANDS = {
    "list": "the texts that can be downloaded by name, with origin and licence",
    "get": "download one of them; goes on where it was cut off",
    "encode": "text of any number of files to a token data set",
    "storybook": "write generated children's stories whose entropy is known",
}


def usage() -> str:
    """The text of `homespun corpus --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help_line}" for name, help_line in COMMANDS.items()]
    return "\n".join(["usage: homespun corpus COMMAND [ARGUMENTS]", "", "Text to train on.", "", *lines])


def main(arguments: list[str]) -> int:
    """Run one of the sub-commands."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise ConfigError(f"homespun corpus has no command {name!r}; the commands are {', '.join(COMMANDS)}")
    return import_module(f"homespun.cli.corpus.{name}").main(rest)
