"""`homespun sweep`: train the runs of a plan, and say what they show."""

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.main import EXIT_INTERRUPTED
from homespun.cli.parsing import CommandParser, parse_count
from homespun.errors import RunError

if TYPE_CHECKING:
    from homespun.experiments.plan import Plan
    from homespun.experiments.sweep import SweepInProgress
    from homespun.sweeps import Sweep

_DESCRIPTION = """\
Train the runs that a plan lists, and compare its variants. The directory is the queue: the same command resumes after
an interruption, and started on several machines that share the disk it divides the runs among them. Ctrl-C saves the
runs in progress and stops.

examples:
  homespun sweep recipes/experiments/learning-rate.yaml --scale cpu
  homespun sweep PLAN.yaml --workers 2 --runs runs/shared         two runs at a time, which other sweeps may share
  homespun sweep PLAN.yaml --status                               what has come of it so far
  homespun sweep PLAN.yaml --source.train mine.txt                another value for a key of the base recipe"""


def main(arguments: list[str]) -> int:
    """Run a plan."""
    parser = CommandParser("homespun sweep", _DESCRIPTION)
    parser.add_argument("plan", type=Path, metavar="PLAN", help="a plan's file")
    parser.add_argument("--scale", metavar="NAME", help="which of the plan's scales, such as smoke, cpu or gpu")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the sweep's directory (default: runs/NAME)")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where its runs are (default: in DIR of --out)")
    parser.add_argument("--workers", type=parse_count, default=1, metavar="N", help="runs at a time (default: 1)")
    parser.add_argument("--ray", metavar="ADDRESS", help="train on a Ray cluster: auto, or host:port")
    parser.add_argument("--publish", type=Path, metavar="DIR", help="also write NAME.json and NAME.svg there")
    parser.add_argument("--status", action="store_true", help="print what has come of it so far, and train nothing")
    parser.add_argument("--worker", action="store_true", help="be one of the workers, and show nothing")
    options, flags = parser.parse_known_args(arguments)
    # Imported here: `--help` does not wait for torch.
    from homespun.experiments.plan import load_plan
    from homespun.experiments.sweep import open_sweep

    plan = load_plan(options.plan, options.scale)
    root = options.out or Path("runs") / plan.name
    if not (options.worker or options.status):
        _prepare(plan, options.plan, flags)
    sweep = open_sweep(plan, options.plan.parent, root, flags=flags, runs_root=options.runs)
    if options.worker:
        return _work(sweep, max(1, (os.cpu_count() or 1) // options.workers))
    if not options.status:
        finished = _run(sweep, options, arguments)
        if not finished:
            print("stopped and saved; the same command resumes", file=sys.stderr)
            return EXIT_INTERRUPTED
    summary = sweep.summarize()
    _print(summary)
    if options.publish is not None:
        from homespun.experiments.publish import publish

        scale = f" --scale {options.scale}" if options.scale else ""
        files = publish(sweep, summary, options.publish, f"homespun sweep {options.plan.name}{scale}")
        print(f"wrote {', '.join(map(str, files))}")
    print(f"{root}: see `homespun report {root}`")
    return 0


def _prepare(plan: "Plan", path: Path, flags: list[str]) -> None:
    """Make the data of every recipe of the plan that do not exist yet."""
    from homespun.cli.progress import progress_bar
    from homespun.experiments.runs import PlanReader
    from homespun.recipe.prepare import prepare

    reader = PlanReader(plan=plan, folder=path.parent, flags=flags)
    recipes = {}
    for variant in plan.expand():
        config = reader.recipe(variant, reader.num_steps(variant, {}), plan.seeds[0])
        recipes[str((config.source, config.tokenizer, config.data))] = config
    for config in recipes.values():
        prepare(config, on_message=print, show_progress=progress_bar)


def _work(sweep: "SweepInProgress", threads: int) -> int:
    from homespun.cli.interrupt import stop_on_signal
    from homespun.experiments.workers import parent_died

    parent = os.getppid()
    with stop_on_signal(lambda: None) as stop_asked:
        finished = sweep.work(threads=threads, stop_asked=lambda: stop_asked() or parent_died(parent))
    return 0 if finished else EXIT_INTERRUPTED


def _run(sweep: "SweepInProgress", options: Namespace, arguments: list[str]) -> bool:
    from homespun.cli.interrupt import stop_on_signal
    from homespun.cli.sweep_progress import SweepDisplay
    from homespun.experiments.workers import run_on_cluster, run_workers, worker_command

    if options.ray:
        run_on_cluster(sweep, options.ray)
        return True
    with SweepDisplay(sweep) as display, stop_on_signal(display.tell_stopping) as stop_asked:
        codes = run_workers(worker_command(arguments), options.workers, display.update, stop_asked)
        stopped = stop_asked()
    finished = all(sweep.is_done(run) for run in sweep.list_runs())
    if not (finished or stopped):
        raise RunError(
            f"{sweep.directory.root}: {sum(code != 0 for code in codes)} of {len(codes)} workers failed (exit codes "
            f"{', '.join(map(str, codes))}); what they said is above; the same command resumes"
        )
    return finished


def _print(summary: "Sweep") -> None:
    print(f"{summary.name}: {summary.question}")
    for sentence in summary.conclusions:
        print(f"  {sentence}")
