import pytest

from homespun.records import RunDirectory, RunResult, TrainRecord, ValidationRecord
from homespun.training.events import RunFinished, Sampled, StepLogged, StepTaken, Validated
from homespun.training.recorder import Recorder


def train_record(step):
    return TrainRecord(
        step=step, tokens=step * 8, loss=1 / 3, lr=0.1, grad_norm=2.0, tokens_per_second=5.0, mfu=0.5, seconds=1.0,
        grad_norms={"embedding": 1.5, "feed-forward": 1e-7}, memory_bytes=2**40,
    )  # fmt: skip


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
