"""The report of a run directory made by hand. Oracles: the records written, and an HTML parser."""

import json
import os
import re
from dataclasses import asdict, replace

import pytest

from homespun.entropy import CorpusEntropy
from homespun.errors import MissingFileError, RunError
from homespun.records import ChangeRecord, Session, TrainRecord, parse_record, write_json_record
from homespun.reporting import write_report
from homespun.reporting.report import render_report
from homespun.reporting.run import read_run
from refusals import refuses
from reports import Page, make_run, validation_at


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "a<b")


def test_report_is_self_contained_and_complete(run):
    write_report([run.root], run.report)
    page = Page(run.report.read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert page.loads == []
    assert page.tags.count("figure") == 4
    assert len(page.ids()) == len({*page.ids()})
    for shown in ("1,234", "0.4000", "+0.1000", "exact entropy 0.4000", "name: a<b", "<script>alert(1)"):
        assert shown in text, shown


def test_the_best_checkpoint_is_named(run):
    """Derived by hand: the losses are 2 / step, and only step 5 is both validated and there."""
    assert "best checkpoint" not in render_report([read_run(run.root)])
    run.checkpoints.mkdir()
    for step in (5, 7):
        run.checkpoint_at(step).touch()
    assert "The best checkpoint is that of step 5." in render_report([read_run(run.root)])


def test_sessions_and_changes_are_listed(run):
    """Oracle: the records. A commit is text from somebody else's file."""
    sessions = [
        Session(
            began="2026-11-27T18:04:43Z", steps_done=0, version="0.1.0", commit="<8ee4270>", uncommitted_changes=True
        ),
        Session(began="2026-11-28T09:00:00Z", steps_done=1500, version="0.2.0", commit=None, uncommitted_changes=False),
    ]
    run.environment.write_text(json.dumps({"sessions": [asdict(session) for session in sessions]}))
    with run.metrics.open("a") as file:
        change = ChangeRecord(step=1500, key="execution.micro_batch", before="2", after="4")
        file.write(json.dumps(asdict(change)) + "\n")
    page = render_report([read_run(run.root)])
    assert (
        "<li>2026-11-27T18:04:43Z, after step 0: homespun 0.1.0, commit &lt;8ee4270&gt; with uncommitted changes</li>"
        "<li>2026-11-28T09:00:00Z, after step 1,500: homespun 0.2.0</li>"
    ) in page
    assert "<li>step 1,500: execution.micro_batch: 2 -&gt; 4</li>" in page


def test_report_is_a_function_of_the_runs(run, tmp_path):
    write_report([run.root, run.root], tmp_path / "one.html")
    write_report([run.root, run.root], tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_records_come_back_as_written(run):
    """Oracle: identity of writing and reading."""
    reported = read_run(run.root)
    assert [record.step for record in reported.train] == list(range(1, 11))
    assert reported.final_validation == validation_at(10, whole=True)
    assert reported.excess_bits_per_byte == pytest.approx(0.1)


def test_unfinished_run_is_reported_as_such(run):
    run.result.unlink()
    write_report([run.root], run.report)
    assert "has not finished" in run.report.read_text(encoding="utf-8")


def test_bad_runs_are_refused(run, tmp_path):
    out = tmp_path / "report.html"
    with refuses(MissingFileError, tmp_path, "recipe.yaml"):
        write_report([tmp_path], out)
    with run.metrics.open("a") as file:
        file.write('{"kind": "train", "step": 1')
    with refuses(RunError, f"{run.metrics}:13"):
        write_report([run.root], out)
    run.metrics.write_text("")
    with refuses(RunError, run.metrics, "no record"):
        write_report([run.root], out)
    with refuses(RunError, "no run"):
        write_report([], out)
    assert not out.exists()


def test_paths_may_be_strings(run, tmp_path):
    write_report([str(run.root)], str(tmp_path / "one.html"))
    write_report(run.root, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


@pytest.mark.parametrize(
    "name", [r"$\frac{a}$", r"$\undefined$", "_hidden", "a\udcff\x1b[31m", "\u7269\u8a9e", "a&b<i>"]
)
def test_a_name_is_text(run, tmp_path, name):
    """It is not read as mathematics or markup and not hidden; unprintable characters are escaped."""
    root = tmp_path / name
    run.root.rename(root)
    out = tmp_path / "report.html"
    write_report([root], out)
    page = Page(out.read_text(encoding="utf-8"))
    shown = name.replace("\udcff", r"\udcff").replace("\x1b", r"\x1b")
    assert [text.strip() for text in page.text].count(shown) == 3, "in the heading, the legend and the table"
    assert "i" not in page.tags


def records_of(run):
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


@pytest.mark.parametrize(
    ("key", "value"),
    [("loss", 1e31), ("loss", float("nan")), *((key, 1e308) for key in ("loss", "grad_norm", "lr", "bits_per_byte"))],
)
def test_enormous_values_are_left_out_with_a_note(run, key, value):
    records = records_of(run)
    for record in records[4:]:
        if key in record:
            record |= {key: value} | ({"perplexity": 1e308} if "perplexity" in record else {})
    run.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    write_report([run.root], run.report)
    page = run.report.read_text(encoding="utf-8")
    assert "not drawn" in page
    assert len(page) < 200_000


def spoil(path, how):
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes({"bytes": b"caf\xe9 {", "empty": b"", "long": b" " * 200_000, "other": b'{"steps": 3}'}[how])


HOWS = ["bytes", "directory", pytest.param("fifo", marks=pytest.mark.skipif(os.name == "nt", reason="no FIFOs"))]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", ["environment.json", "samples/step-000010.txt", "entropy.json", "result.json"])
def test_files_that_cannot_be_read_are_left_out_with_a_note(run, name, how):
    path = run.root / name
    spoil(path, how)
    write_report([run.root], run.report)
    page = run.report.read_text(encoding="utf-8")
    assert "left out: " in page
    assert path.name in page


@pytest.mark.parametrize(("name", "how"), [("result.json", "other"), ("environment.json", "long")])
def test_files_of_another_kind_are_left_out_with_a_note(run, name, how):
    spoil(run.root / name, how)
    write_report([run.root], run.report)
    assert "left out: " in run.report.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", HOWS)
def test_metrics_that_cannot_be_read_are_refused(run, how):
    spoil(run.metrics, how)
    with refuses(RunError, run.metrics):
        write_report([run.root], run.report)


def test_entropy_of_no_bytes_is_refused(run):
    write_json_record(run.entropy, CorpusEntropy(bits=1600.0, num_bytes=0, num_documents=7))
    with refuses(RunError, run.entropy, "0 bytes"):
        run.read_entropy()


def test_a_result_without_bits_per_byte_is_refused(run):
    result = json.loads(run.result.read_text())
    del result["validation"]["bits_per_byte"]
    run.result.write_text(json.dumps(result))
    with refuses(RunError, run.result, "bits_per_byte"):
        run.read_result()


@pytest.mark.parametrize("name", ["step-final", "step-\u00b2\u00b3", "step-5", "step-000010-copy", "step-" + "1" * 40])
def test_other_files_are_left_alone(run, name):
    (run.samples / f"{name}.txt").write_text("somebody's own")
    run.checkpoints.mkdir()
    (run.checkpoints / f"{name}.safetensors").write_text("somebody's own")
    assert run.list_samples() == [run.sample_at(10)]
    assert run.list_checkpoints() == []


def test_changes_on_resume_are_shown(run):
    with run.metrics.open("a") as file:
        change = ChangeRecord(step=7, key="execution.micro_batch", before="8", after="4<b>")
        file.write(json.dumps(asdict(change)) + "\n")
    write_report([run.root], run.report)
    assert "step 7: execution.micro_batch: 8 -&gt; 4&lt;b&gt;" in run.report.read_text(encoding="utf-8")


def test_a_run_of_one_record_is_visible(run):
    """A line through one point has no length; a marker has."""
    run.metrics.write_text(run.metrics.read_text().splitlines(keepends=True)[0])
    write_report([run.root], run.report)
    page = run.report.read_text(encoding="utf-8")
    charts = [attributes for tag, attributes in Page(page).attributes if tag == "circle"]
    assert len(charts) == 4, "one in each chart"


def long_metrics(run, num_steps):
    records = [
        TrainRecord(
            step=step, tokens=step, loss=2.0 + step % 7, lr=1e-3, grad_norm=1.0, tokens_per_second=1e5, mfu=0.1,
            seconds=step / 3, grad_norms={"attention": step / 3, "feed-forward": 1e-7}, memory_bytes=step,
        )
        for step in range(num_steps)
    ]  # fmt: skip
    run.metrics.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records))
    return records


def test_a_long_run_is_drawn_by_its_extremes(run):
    """Planted: one spike of the loss and one of the norm. Oracle: they are among the records kept, in order."""
    records = long_metrics(run, 20_000)
    lines = run.metrics.read_text().splitlines(keepends=True)
    for step, key in ((12_345, "loss"), (6_789, "grad_norm")):
        lines[step] = json.dumps(json.loads(lines[step]) | {key: 99.5}) + "\n"
    run.metrics.write_text("".join(lines))
    kept = list(run.iter_metrics(1000))
    assert len(kept) <= 4000
    steps = [record.step for record in kept]
    assert steps == sorted(steps)
    assert {0, 12_345, 6_789} <= {*steps}
    assert run.read_metrics()[0][5:9] == records[5:9]


def test_records_of_an_older_version_are_read(run):
    """Oracle: lines as they were written before gradient norms of components and memory were recorded."""
    records = long_metrics(run, 3)
    lines = run.metrics.read_text().splitlines(keepends=True)
    run.metrics.write_text("".join(re.sub(r'"grad_norms".*, "kind"', '"kind"', line) for line in lines[:2]) + lines[2])
    older = [replace(record, grad_norms={}, memory_bytes=0) for record in records[:2]]
    assert run.read_metrics()[0] == [*older, records[2]]
    assert parse_record(run.metrics.read_text().splitlines()[0], where="here") == older[0]


@pytest.mark.parametrize("damage", [lambda line: line[:-20] + "\n", lambda line: line.replace('"lr": ', '"lr": -'),
    lambda line: line.replace("loss", "los"), lambda line: "\n", lambda line: line[:-1] + " x\n",
    lambda line: line[:-1] + line, lambda line: line.replace('"attention": ', '"attention": -'),
    lambda line: line.replace('"attention"', '"Attention"'), lambda line: line.replace('7}', '7, }'),
    lambda line: line.replace('{"attention"', '{"attention": 1.0 "feed-forward"'),
    lambda line: line.replace('7}', '7}}'),
    lambda line: re.sub(r'"grad_norms": {.*}, ', '', line),
    lambda line: re.sub(r'"grad_norms": {.*}, ', '"grad_norms": {}, ', line)])  # fmt: skip
def test_damage_in_a_long_run_is_found_at_its_line(run, damage):
    """Oracle: `parse_record`, which reads one line without the pattern."""
    long_metrics(run, 3000)
    lines = run.metrics.read_text().splitlines(keepends=True)
    lines[1499] = damage(lines[1499])
    run.metrics.write_text("".join(lines))
    try:
        parse_record(lines[1499], where="here")
    except RunError:
        with refuses(RunError, f"{run.metrics}:1500"):
            list(run.iter_metrics(100))
        with refuses(RunError, f"{run.metrics}:1500"):
            run.read_metrics()
    else:
        assert run.read_metrics()[0][1499] == parse_record(lines[1499], where="here")
