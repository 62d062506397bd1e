"""A run that an older version began resumes and is reported. Oracle: the same run, begun by this version."""

import json
import re

from homespun.checkpoint.layout import read_tensors, write_tensors
from homespun.records import RunDirectory
from homespun.reporting import write_report
from tiny import figures, make_world, run_tiny


def make_older(directory):
    """Take out of a run's files what older versions did not write."""
    lines = directory.metrics.read_text()
    directory.metrics.write_text(re.sub(r', "grad_norms": {.*?}, "memory_bytes": \d+', "", lines))
    environment = json.loads(directory.environment.read_text())
    del environment["sessions"]
    directory.environment.write_text(json.dumps(environment))
    # Without its first line, the hash of the others.
    recipe = directory.recipe.read_text().partition("\n")[2]
    directory.recipe.write_text(recipe.replace("  track: []\n", ""))
    for path in directory.list_checkpoints():
        tensors, metadata = read_tensors(memoryview(bytearray(path.read_bytes())), str(path))
        del metadata["sha256"]
        state = json.loads(metadata["state"])
        assert state["meter"].pop("cpu_seconds") > 0
        with path.open("wb") as file:
            write_tensors(file, tensors, {**metadata, "state": json.dumps(state)})
    assert "grad_norms" not in directory.metrics.read_text()
    assert "track" not in directory.recipe.read_text()


def test_a_run_of_an_older_version_resumes_and_is_reported(tmp_path):
    world = make_world(tmp_path / "world")
    run_tiny(world, tmp_path / "whole")
    directory = RunDirectory(tmp_path / "run")
    run_tiny(world, directory.root, stop_after=5)
    make_older(directory)
    assert run_tiny(world, directory.root) is not None
    assert figures(directory.root) == figures(tmp_path / "whole")
    records, _ = directory.read_metrics()
    assert [bool(record.grad_norms) for record in records] == [False] * 5 + [True] * 7
    result = json.loads(directory.result.read_text())
    assert result.pop("cpu_seconds") > 0
    directory.result.write_text(json.dumps(result))
    older = directory.read_result()
    assert older is not None
    assert older.cpu_seconds == 0
    assert [session.steps_done for session in directory.read_sessions()] == [5]
    write_report(directory.root, directory.report)
    assert "after step 5: homespun" in directory.report.read_text(encoding="utf-8")
