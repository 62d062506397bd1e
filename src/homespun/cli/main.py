"""The `homespun` command: a table of commands, of which only the one called is imported."""

import sys
from importlib import import_module

from homespun.errors import HomespunError

# In the order of the way through the house; each module has `main(arguments) -> int`.
COMMANDS = {
    "demo": "the whole way on the built-in storybook: ends with stories and a report",
    "corpus": "list | get NAME | storybook | encode: text to train on, and its token ids",
    "tokenizer": "count | train | encode | inspect | verify: byte-level BPE",
    "prepare": "make what a recipe needs: text, tokenizer, token data sets",
    "train": "train a model by a recipe; resumes by itself",
    "evaluate": "loss, perplexity and bits per byte of a run on held-out text",
    "generate": "continue a prompt with a trained model",
    "estimate": "parameters, FLOPs, memory and days of a model, without running it",
    "report": "one self-contained HTML file about one or more runs",
    "doctor": "what this machine offers, what will be chosen, and why",
}

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def usage() -> str:
    """The text of `homespun --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help_line}" for name, help_line in COMMANDS.items()]
    return "\n".join(
        [
            "usage: homespun COMMAND [ARGUMENTS]",
            "",
            "Train a language model from raw text, every part written in the open.",
            "",
            *lines,
            "",
            "`homespun COMMAND --help` tells more about one; start with `homespun demo`.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    name, *rest = arguments
    if name == "--version":
        import homespun

        print(f"homespun {homespun.__version__}")
        return 0
    if name not in COMMANDS:
        return fail(f"no command is called {name!r}; the commands are {', '.join(COMMANDS)}")
    try:
        return import_module(f"homespun.cli.{name}").main(rest)
    except HomespunError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        print("homespun: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as in `homespun tokenizer inspect ... | head`.
        sys.stderr.close()
        return 0


def fail(message: str) -> int:
    """Print one line on standard error and return the exit code of bad input."""
    print(f"homespun: error: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_BAD_INPUT
