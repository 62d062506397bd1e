"""`homespun replay`: run the step again that ended a run."""

from pathlib import Path

from homespun.cli.parsing import CommandParser

_DESCRIPTION = """\
A step whose loss or gradient is not finite ends a run before anything is updated, and is kept with its batch and state
in RUN/failure. This runs it again, and prints the largest output and gradient of every module. Keys of execution may
change, to see whether the step is finite elsewhere; the run directory stays as it is.

examples:
  homespun replay runs/mine
  homespun replay runs/mine --execution.precision float32"""


def main(arguments: list[str]) -> int:
    """Replay the failed step; the exit code is 0 if it is finite now, else 1."""
    parser = CommandParser("homespun replay", _DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options, overrides = parser.parse_known_args(arguments)
    # Imported here: a wrong command line does not wait for torch.
    from homespun.training.replay import as_json, describe, replay

    replayed = replay(options.run, overrides)
    print(as_json(replayed) if options.json else describe(replayed))
    return 0 if replayed.outcome is not None else 1
