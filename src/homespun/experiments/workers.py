"""Several workers of one sweep: processes of this machine, or tasks of a Ray cluster."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from homespun.cluster import run_tasks
from homespun.errors import ClusterError
from homespun.experiments.runs import PlannedRun
from homespun.experiments.sweep import SweepInProgress, ignore
from homespun.training.loop import StopAsked, never_stop

_POLL_SECONDS = 0.5


def run_workers(
    command: Sequence[str], num_workers: int, on_poll: Callable[[], None], stop_asked: StopAsked
) -> list[int]:
    """Run `command` in `num_workers` processes until all have ended; return their exit codes.

    A worker that dies, or fails, leaves its run to the others; it is not started again here.

    Args:
        command: Of a worker, which stops and saves at SIGINT.
        num_workers: Processes at a time.
        on_poll: Called several times a second.
        stop_asked: Whether the workers are to stop.
    """
    # A session of its own: Ctrl-C reaches this process alone, which then asks the workers to stop.
    workers = [subprocess.Popen(command, start_new_session=True) for _ in range(num_workers)]
    told = False
    try:
        while any(worker.poll() is None for worker in workers):
            if stop_asked() and not told:
                told = True
                for worker in workers:
                    worker.send_signal(signal.SIGINT)
            on_poll()
            time.sleep(_POLL_SECONDS)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return [worker.returncode for worker in workers]


def worker_command(arguments: Sequence[str]) -> list[str]:
    """Return the command of one worker of the sweep that `homespun sweep ARGUMENTS` runs."""
    return [sys.executable, "-m", "homespun", "sweep", *arguments, "--worker"]


def parent_died(parent: int) -> bool:
    """Whether the process that started this one is no more: then nobody shows progress, and Ctrl-C reaches nobody."""
    return os.getppid() != parent


def run_on_cluster(sweep: SweepInProgress, cluster: str) -> None:
    """Train the runs of a sweep on a Ray cluster whose machines share its disk.

    Raises:
        ClusterError: the cluster cannot be reached, or the workers of a run keep dying.
    """
    while pending := [run for run in sweep.list_runs() if not sweep.is_done(run)]:
        runs = [*{run.key: run for run in pending}.values()]
        run_tasks(_train, (sweep, str(Path.cwd())), runs, cluster=cluster)
        if all(not sweep.is_done(run) for run in runs):
            raise ClusterError("no run was finished: other workers have claimed all that are left; wait for them")


def _train(shared: tuple[SweepInProgress, str], run: PlannedRun, _report: Callable[[int], None]) -> None:
    sweep, folder = shared
    os.chdir(folder)  # recipes name their data relative to it
    sweep.train(run, 1, never_stop, ignore)
