import json

import pytest

from homespun.errors import RunError
from homespun.records import RunDirectory, RunResult, TrainRecord, ValidationRecord
from homespun.training.events import RunFinished, Sampled, StepLogged, StepTaken, Validated
from homespun.training.recorder import Recorder, cut_metrics


def train_record(step):
    return TrainRecord(
        step=step, tokens=step * 8, loss=1 / 3, lr=0.1, grad_norm=2.0, tokens_per_second=5.0, mfu=0.5, seconds=1.0
    )


def validation_record(step):
    return ValidationRecord(
        step=step, tokens=step * 8, loss=1.0, perplexity=2.7, bits_per_byte=0.5, num_tokens=8, num_bytes=16, whole=True,
        seconds=1.0,
    )  # fmt: skip


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path)


def record(directory, *events):
    with Recorder(directory) as recorder:
        for event in events:
            recorder(event)


def test_records_read_back_equal(directory):
    record(directory, StepLogged(record=train_record(1)), Validated(record=validation_record(1)))
    record(directory, StepLogged(record=train_record(2)))
    assert directory.read_metrics() == ([train_record(1), train_record(2)], [validation_record(1)])


def test_lines_are_on_disk_before_the_recorder_is_closed(directory):
    with Recorder(directory) as recorder:
        recorder(StepLogged(record=train_record(1)))
        assert directory.read_metrics()[0] == [train_record(1)]


def test_samples_and_result_get_their_files(directory):
    result = RunResult(
        steps=1,
        tokens=8,
        train_loss=1.0,
        validation=validation_record(1),
        seconds=1.0,
        tokens_per_second=8.0,
        num_parameters=3,
    )
    record(directory, Sampled(step=5, texts=["One.", "Two."]), RunFinished(result=result))
    assert directory.sample_at(5).read_text().startswith("One.\n---")
    assert directory.read_result() == result


def test_other_events_leave_no_trace(directory):
    record(directory, StepTaken(step=1, loss=1.0, tokens_per_second=1.0))
    assert directory.metrics.read_text() == ""


def test_cut_keeps_what_the_checkpoint_has_behind_it(directory):
    events = [StepLogged(record=train_record(step)) for step in (1, 2, 3, 4)]
    record(directory, *events[:2], Validated(record=validation_record(2)), *events[2:])
    cut_metrics(directory, 2)
    assert directory.read_metrics() == ([train_record(1), train_record(2)], [validation_record(2)])


@pytest.mark.parametrize("length", [1, 30, -1])
def test_cut_drops_a_line_that_was_never_finished(directory, length):
    record(directory, StepLogged(record=train_record(1)))
    line = json.dumps({"kind": "train", "step": 2, "tokens": 16})
    whole = directory.metrics.read_text()
    # -1: even a record that is complete but for its newline was not finished.
    torn = line[:length] if length > 0 else whole.rstrip("\n")
    directory.metrics.write_text(whole + torn)
    cut_metrics(directory, 9)
    assert directory.metrics.read_text() == whole


def test_cut_refuses_a_broken_line_in_the_middle(directory):
    record(directory, StepLogged(record=train_record(1)))
    directory.metrics.write_text("{}\n" + directory.metrics.read_text())
    with pytest.raises(RunError, match=r"metrics\.jsonl:1"):
        cut_metrics(directory, 1)


def test_cut_without_metrics_is_nothing(directory):
    cut_metrics(directory, 3)
    assert not directory.metrics.exists()
