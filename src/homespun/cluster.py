"""Run independent tasks, here or on an existing Ray cluster.

Tasks must be idempotent: each writes its result atomically and skips work that is already done. A task whose worker
dies is retried; if the caller dies, it is called again.
"""

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from homespun.errors import ClusterError, MissingPackageError
from homespun.progress import ProgressCallback, ignore_progress

if TYPE_CHECKING:
    from ray import ObjectRef

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")
Report = Callable[[int], None]
"""Called with how much of a task is done, in the unit of its size."""
Work = Callable[[Shared, Task, Report], Result]

MAX_RETRIES = 5
"""Retries of a task whose worker died; after five the cause is the task, not the worker."""

_TASKS_PER_CPU = 2
"""Tasks in flight: one running and one queued. Submitting all 100,000 at once would overload the scheduler."""

_CONNECT_SECONDS = 10.0


def run_tasks(
    work: Work[Shared, Task, Result],
    shared: Shared,
    tasks: Sequence[Task],
    *,
    cluster: str | None = None,
    sizes: Sequence[int] | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> list[Result]:
    """Return `work(shared, task, report)` for every task, in the order of the tasks.

    On a cluster a task takes one CPU. Every machine needs this version of homespun and the same paths: files that tasks
    name must be on a file system that all of them see.

    Args:
        work: A function of a module; on a cluster it is pickled by name.
        shared: What every task needs, sent once; it and the tasks are pickled.
        tasks: `str(task)` names a task in errors.
        cluster: None: run here. Else the address of a Ray cluster: "auto" for that of this machine, "host:port", or
            "ray://host:port". A connection that the program has made already is used instead.
        sizes: How long each task takes, in the unit of `on_progress`. None: all the same.
        on_progress: Called with (size of what is done, size of all) after each task, and here when a task reports.

    Raises:
        ClusterError: the cluster cannot be reached, has another version of homespun, or a task's workers keep dying.
        MissingPackageError: ray is not installed.
        Exception: what `work` raises; running tasks are cancelled, the others not started.
    """
    sizes = [1] * len(tasks) if sizes is None else sizes
    total = sum(sizes)
    if cluster is not None:
        with _connect(cluster):
            return _run_on_ray(work, shared, tasks, sizes, on_progress)
    results: list[Result] = []
    for task, size, before in zip(tasks, sizes, accumulate(sizes, initial=0), strict=False):
        results.append(work(shared, task, lambda done, before=before: on_progress(before + done, total)))
        on_progress(before + size, total)
    return results


def _run_on_ray(
    work: Work[Shared, Task, Result],
    shared: Shared,
    tasks: Sequence[Task],
    sizes: Sequence[int],
    on_progress: ProgressCallback,
) -> list[Result]:
    import ray
    from ray.exceptions import RayError, RayTaskError

    from homespun import __version__

    remote = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_work_remotely)
    shared_ref = ray.put(shared)
    limit = max(1, int(ray.cluster_resources().get("CPU", 1))) * _TASKS_PER_CPU
    results: dict[int, Result] = {}
    running: dict[ObjectRef, int] = {}
    waiting = iter(range(len(tasks)))
    try:
        while True:
            while len(running) < limit and (index := next(waiting, None)) is not None:
                running[remote.remote(__version__, work, shared_ref, tasks[index])] = index
            if not running:
                return [results[index] for index in range(len(tasks))]
            done, _ = ray.wait(list(running))
            for ref in done:
                index = running.pop(ref)
                try:
                    results[index] = ray.get(ref)
                except RayTaskError as error:
                    raise error.cause from None
                except RayError as error:
                    raise ClusterError(
                        f"{tasks[index]}: its worker died {MAX_RETRIES + 1} times ({_first_line(error)}); "
                        "look for the cause in the cluster's logs, then run the same command again"
                    ) from error
                on_progress(sum(sizes[index] for index in results), sum(sizes))
    finally:
        for ref in running:
            ray.cancel(ref, force=True)


def _work_remotely(version: str, work: Work[Shared, Task, Result], shared: Shared, task: Task) -> Result:
    from homespun import __version__

    if version != __version__:
        raise ClusterError(
            f"a worker has homespun {__version__}, but you have {version}; install the same version on every machine"
        )
    return work(shared, task, lambda _done: None)


@contextmanager
def _connect(address: str) -> Iterator[None]:
    try:
        import ray
    except ImportError as error:
        raise (MissingPackageError.for_import(error, "a cluster") or error) from error
    if ray.is_initialized():
        yield
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdecimal():
            # Ray itself retries for two minutes, and then exits the process.
            socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError, SystemExit) as error:
        raise ClusterError(
            f"cannot reach a Ray cluster at {address!r} ({_first_line(error)}); start one with `ray start --head`, "
            "give the host:port of one, or see that RAY_AUTH_TOKEN is its token"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
