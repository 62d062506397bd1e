"""Tasks that run here, and what is refused before a cluster is asked. On a cluster: tests/integration/test_ray.py."""

import operator
import socket
import sys

import pytest

from homespun.cluster import run_tasks
from homespun.errors import ClusterError, MissingPackageError
from refusals import refuses


def test_tasks_run_here_in_their_order():
    """Oracle: map."""
    done = []
    assert run_tasks(operator.sub, 10, [1, 2, 3], on_done=done.append) == [9, 8, 7]
    assert done == [9, 8, 7]
    assert run_tasks(operator.sub, 10, []) == []


def test_an_error_of_a_task_is_its_own():
    with pytest.raises(ZeroDivisionError):
        run_tasks(operator.floordiv, 1, [1, 0])


def test_an_absent_cluster_is_refused_at_once(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "nonsense"):
        with refuses(ClusterError, address, "ray start --head"):
            run_tasks(operator.sub, 10, [1], cluster=address)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with refuses(MissingPackageError, "pip install ray"):
        run_tasks(operator.sub, 10, [1], cluster="auto")
