"""The samples of a run token by token. Oracles: identity of writing and reading, and planted damage."""

import json

import pytest

from homespun.errors import RunError
from homespun.samples import TextSample, read_samples, write_samples
from refusals import refuses

SAMPLE = TextSample(num_prompt_tokens=1, tokens=["Once", " ", "\u7269</script>"], nats=[1.5, 0.0, 1e-9])


def test_samples_come_back_as_written(tmp_path):
    path = tmp_path / "step-000005.json"
    write_samples(path, [SAMPLE, SAMPLE])
    assert read_samples(path) == [SAMPLE, SAMPLE]
    assert SAMPLE.text == "Once \u7269</script>"


def test_no_file_no_samples(tmp_path):
    assert read_samples(tmp_path / "step-000005.json") == []


@pytest.mark.parametrize(
    "damage",
    [{"nats": [1.0]}, {"nats": [-1.0, 0, 0]}, {"nats": [1e999, 0, 0]}, {"num_prompt_tokens": 4}, {"tokens": [1, 2, 3]}],
)
def test_damaged_samples_are_refused(tmp_path, damage):
    path = tmp_path / "step-000005.json"
    whole = {"num_prompt_tokens": 1, "tokens": ["a", "b", "c"], "nats": [0.5, 0.5, 0.5]}
    path.write_text(json.dumps([whole | damage]))
    with refuses(RunError, path):
        read_samples(path)
