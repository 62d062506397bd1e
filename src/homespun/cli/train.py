"""`homespun train`: train a model by a recipe; the same command resumes it."""

import shlex
import sys
from pathlib import Path

from homespun.cli.recipes import RecipeParser
from homespun.recipe.config import RunConfig

_DESCRIPTION = """\
Train a model in the directory runs/NAME, or --out. If there is a run of the same recipe, training resumes from the
latest checkpoint; keys under execution and logging may have changed, and training.num_steps may have grown where the
schedule allows it. Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 finish the step, save and stop; Ctrl-C again stops at once.

examples:
  homespun train recipes/demo.yaml --optim.lr 3e-3 --name faster
  homespun train recipes/demo.yaml --name second --from runs/demo"""


def main(arguments: list[str]) -> int:
    """Train to the end, or until the first signal to stop."""
    parser = RecipeParser("homespun train", _DESCRIPTION)
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's directory (default: runs/NAME)")
    parser.add_argument(
        "--from", dest="from_run", metavar="RUN", help="begin with that run's latest weights; as --training.from_run"
    )
    parsed = parser.parse_recipe(arguments)
    if parsed is None:
        return 0
    config, own = parsed
    root = own.out or Path("runs") / config.name
    code = train_with_console(config, root)
    if code:
        print(f"stopped and saved; `homespun train {shlex.join(arguments)}` resumes", file=sys.stderr)
        return code
    print(f"{root}: finished; see `homespun report {root}` and `homespun generate {root} --prompt ...`")
    return 0


def train_with_console(config: RunConfig, root: Path) -> int:
    """Train the run at `root` and show its progress; return 0 if it finished, else 128 + the signal that stopped it."""
    # Imported here: `homespun train --help` does not wait for torch.
    from homespun.cli.console import TrainingConsole
    from homespun.cli.interrupt import stop_on_signal
    from homespun.training.events import Event
    from homespun.training.loop import train
    from homespun.training.recorder import Recorder
    from homespun.training.run import open_run
    from homespun.training.tracking.trackers import Trackers

    with open_run(config, root) as run:
        console = TrainingConsole(run.config.training.num_steps, run.steps_done)
        for line in run.explanation:
            console.print_line(line)
        trackers = Trackers(run.directory, run.config, run.steps_done)
        with Recorder(run.directory) as record, trackers as track, console:
            for line in track.explanation:
                console.print_line(line)

            def listen(event: Event) -> None:
                record(event)
                track(event)
                console(event)

            with stop_on_signal(console.tell_stopping) as stop_asked:
                return 0 if train(run, listen, stop_asked) is not None else stop_asked.exit_code
