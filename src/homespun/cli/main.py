"""The `homespun` command: one table of commands, of which only the one called is imported.

Every failure outside homespun's own code is reported here, in one line on standard error: bad input, packages
that are not installed, a full disk, a closed pipe.
"""

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from homespun.errors import ConfigError, HomespunError, MissingPackageError, escape_unprintable

# In the order in which text becomes a model. "corpus get" is the module homespun.cli.corpus.get with a function
# `main(arguments) -> exit code`; a name that others begin with is a group.
COMMANDS = {
    "demo": "the full pipeline on a generated corpus: ends with stories and a report",
    "corpus": "text to train on, and its token ids",
    "corpus list": "the texts that can be downloaded by name, with origin and licence",
    "corpus get": "download one of them; resumes an interrupted download",
    "corpus head": "write the first documents of a text as a text of its own",
    "corpus encode": "encode text files into a token data set",
    "corpus storybook": "write generated children's stories whose entropy is known",
    "tokenizer": "byte-level BPE",
    "tokenizer count": "count the pre-tokens of a corpus, as a file to train from",
    "tokenizer train": "train a tokenizer on text or on counts",
    "tokenizer encode": "print the ids of a text",
    "tokenizer inspect": "show a tokenizer, and how it splits a text",
    "tokenizer verify": "compare its ids and merges with a reference and with other libraries",
    "prepare": "make what a recipe needs: text, tokenizer, token data sets",
    "find-lr": "ramp the learning rate over a few hundred steps, and suggest one",
    "train": "train a model by a recipe; resumes by itself",
    "replay": "run the step again whose loss or gradient was not finite, and see where",
    "check-resume": "check that a recipe trains to the same bits, interrupted or not, on this machine",
    "evaluate": "loss, perplexity and bits per byte of a run on held-out text",
    "generate": "continue a prompt with a trained model",
    "estimate": "parameters, FLOPs, memory and days of a model, without running it",
    "experiment": "what can be measured without a sweep of training runs, one command each",
    "experiment tokenizers": "training time by phase, longest tokens, compression and throughput on two corpora",
    "experiment corpora": "two corpora before any model: compression, vocabularies, entropy of tokens and pairs",
    "experiment sampling": "temperature and top-p: how often the grammar allows a story, repetition, diversity",
    "experiment scaling-law": "the law that a sweep's runs follow, its irreducible loss next to the exact entropy",
    "experiment sgd-toy": "ten steps of SGD at four learning rates",
    "sweep": "train the runs of a plan and compare its variants; resumes",
    "speedrun": "train to within 0.03 bits per byte of the storybook's entropy; the fewest minutes win",
    "report": "one self-contained HTML file about one or more runs",
    "doctor": "what this machine offers, what will be chosen, and why",
}

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for bad input, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape what the terminal's encoding lacks: a story with an accent must not end in a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run_command(sys.argv[1:] if arguments is None else arguments)
        # Here rather than when the interpreter exits, so that a full disk or a closed pipe is still noticed.
        sys.stdout.flush()
        return code
    except HomespunError as error:
        return fail(str(error))
    except ModuleNotFoundError as error:
        missing = MissingPackageError.for_import(error, "this command")
        if missing is None:
            raise
        return fail(str(missing))
    except KeyboardInterrupt:
        print("homespun: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output closed the pipe, as in `homespun tokenizer inspect ... | head`.
        discard_output()
        return 0
    except MemoryError as error:
        return fail(f"out of memory: {str(error) or 'an allocation failed'}; use less text at once, or a smaller model")
    except OSError as error:
        # Errors of files that homespun opens are StorageErrors; what is left is mostly its own output.
        discard_output()
        return fail(f"{error.filename or 'standard output'}: {error.strerror or error}; nothing more was written")


def run_command(arguments: list[str]) -> int:
    """Import and run the command that `arguments` begin with.

    Raises:
        ConfigError: there is no such command, or an argument is not text.
    """
    check_decodable(arguments)
    if arguments[:1] == ["--version"]:
        import homespun

        print(f"homespun {homespun.__version__}")
        return 0
    name, rest = "", arguments
    while known := subcommands(name):
        if not rest or rest[0] in ("-h", "--help"):
            print(usage(name))
            return 0
        word, *rest = rest
        if word not in known:
            group = f"homespun {name}".strip()
            raise ConfigError(f"{group} has no command {word!r}; the commands are {', '.join(known)}")
        name = f"{name} {word}".strip()
    try:
        return import_module(f"homespun.cli.{name.replace(' ', '.').replace('-', '_')}").main(rest)
    except SystemExit as exit_:
        # argparse ends the process after --help; its output is not flushed yet.
        return int(exit_.code or 0)


def subcommands(group: str) -> dict[str, str]:
    """Return the commands right below `group` and their help lines; the top level is the group ""."""
    prefix = f"{group} " if group else ""
    below = {name.removeprefix(prefix): line for name, line in COMMANDS.items() if name.startswith(prefix)}
    return {name: line for name, line in below.items() if " " not in name}


def usage(group: str = "") -> str:
    """Return the text of `homespun --help`, or of `homespun GROUP --help`."""
    # A group's line names its commands, so that one page shows everything there is.
    lines = {
        name: " | ".join(below) + f": {line}" if (below := subcommands(f"{group} {name}".strip())) else line
        for name, line in subcommands(group).items()
    }
    width = max(map(len, lines))
    command = f"homespun {group}".strip()
    about = COMMANDS.get(group, "train a language model from raw text, with code written from scratch")
    return "\n".join(
        [
            f"usage: {command} COMMAND [ARGUMENTS]",
            "",
            f"{about[0].upper()}{about[1:]}.",
            "",
            *(f"  {name:<{width}}  {line}" for name, line in lines.items()),
            "",
            f"`{command} COMMAND --help` says more about one" + ("." if group else "; start with `homespun demo`."),
        ]
    )


def check_decodable(arguments: list[str]) -> None:
    """Refuse arguments that are not valid in the terminal's encoding, unless they name a file, which may be so named.

    Raises:
        ConfigError: an argument has bytes that are no text.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            if not os.path.lexists(argument):
                raise ConfigError(f"the argument {argument!r} is not valid UTF-8; write it in UTF-8") from None


def fail(message: str) -> int:
    """Print one line on standard error and return the exit code of bad input."""
    with suppress(OSError):
        print(f"homespun: error: {escape_unprintable(' '.join(message.split()))}", file=sys.stderr)
    return EXIT_BAD_INPUT


def discard_output() -> None:
    """Discard what is still buffered: the interpreter would try to flush it again when it exits, and print an error."""
    with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(nowhere.fileno(), stream.fileno())
