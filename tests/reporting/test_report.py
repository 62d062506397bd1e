"""The report of a run directory made by hand. Oracles: the records written, and an HTML parser."""

import json
from dataclasses import asdict
from html.parser import HTMLParser

import pytest

from homespun.entropy import CorpusEntropy
from homespun.errors import MissingFileError, RunError
from homespun.records import RunDirectory, RunResult, TrainRecord, ValidationRecord, write_json_record
from homespun.reporting import write_report
from homespun.reporting.run import read_run


def validation_at(step, *, whole):
    return ValidationRecord(
        step=step,
        tokens=step * 64,
        loss=2.0 / step,
        perplexity=1.5,
        bits_per_byte=0.5,
        num_tokens=1000,
        num_bytes=4000,
        whole=whole,
        seconds=float(step),
    )


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "a<b")
    directory.samples.mkdir(parents=True)
    directory.recipe.write_text("name: a<b\n")
    directory.environment.write_text('{"python": "3.11"}')
    directory.sample_at(10).write_text("Once upon a time <script>alert(1)</script> & so on\n")
    train = [
        TrainRecord(
            step=step,
            tokens=step * 64,
            loss=3.0 / step,
            lr=1e-3,
            grad_norm=1.0,
            tokens_per_second=100.0,
            mfu=0.1,
            seconds=float(step),
        )
        for step in range(1, 11)
    ]
    records = [*train, validation_at(5, whole=False), validation_at(10, whole=True)]
    directory.metrics.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records))
    write_json_record(directory.entropy, CorpusEntropy(bits=1600.0, num_bytes=4000, num_documents=7))
    result = RunResult(
        steps=10,
        tokens=640,
        train_loss=0.3,
        validation=asdict(records[-1]),
        seconds=60.0,
        tokens_per_second=100.0,
        num_parameters=1234,
    )
    write_json_record(directory.result, result)
    return directory


class Collector(HTMLParser):
    """Gathers what a browser would load, and the tags as they nest."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href"} and not (value or "").startswith("#")]

    def handle_data(self, data):
        self.text.append(data)


def test_report_is_self_contained_and_complete(run):
    write_report([run.root], run.report)
    page = Collector()
    page.feed(run.report.read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert page.loads == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3
    for shown in ("1,234", "0.4000", "+0.1000", "exact entropy of the documents", "name: a<b", "<script>alert(1)"):
        assert shown in text, shown


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
    with pytest.raises(MissingFileError, match=r"no recipe\.yaml"):
        write_report([tmp_path], tmp_path / "report.html")
    with run.metrics.open("a") as file:
        file.write('{"kind": "train", "step": 1')
    with pytest.raises(RunError, match=r"metrics\.jsonl:13"):
        write_report([run.root], tmp_path / "report.html")
    run.metrics.write_text("")
    with pytest.raises(RunError, match="no record yet"):
        write_report([run.root], tmp_path / "report.html")
    with pytest.raises(RunError, match="at least one"):
        write_report([], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
