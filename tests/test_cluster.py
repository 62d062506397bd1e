"""Tasks that run here, and what is refused before a cluster is asked. On a cluster: tests/integration/test_ray.py."""

import socket
import sys

import pytest

from homespun.cluster import Report, run_tasks
from homespun.errors import ClusterError, MissingPackageError
from refusals import refuses


def subtract(shared: int, task: int, report: Report) -> int:
    report(1)
    return shared - task


def test_tasks_run_here_in_their_order():
    """Oracle: map; the progress by hand."""
    calls = []
    sizes = {"sizes": [10, 1, 5], "on_progress": lambda *call: calls.append(call)}
    assert run_tasks(subtract, 10, [1, 2, 3], **sizes) == [9, 8, 7]
    assert calls == [(1, 16), (10, 16), (11, 16), (11, 16), (12, 16), (16, 16)]
    assert run_tasks(subtract, 10, []) == []


def test_an_error_of_a_task_is_its_own():
    with pytest.raises(ZeroDivisionError):
        run_tasks(lambda one, number, _: one // number, 1, [1, 0])


def test_an_absent_cluster_is_refused_at_once(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "nonsense"):
        with refuses(ClusterError, address, "ray start --head"):
            run_tasks(subtract, 10, [1], cluster=address)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with refuses(MissingPackageError, "pip install ray"):
        run_tasks(subtract, 10, [1], cluster="auto")
