"""Which checkpoint is the best. Oracle: derived by hand."""

import pytest

from homespun.records import ValidationRecord, best_step


def validation(step, loss, num_tokens=64, whole=False):
    return ValidationRecord(
        step=step, tokens=step, loss=loss, perplexity=1.0, bits_per_byte=1.0, num_tokens=num_tokens, num_bytes=100,
        whole=whole, seconds=1.0,
    )  # fmt: skip


RISING = [validation(1, 3.0), validation(2, 1.0), validation(3, 2.0)]


@pytest.mark.parametrize(
    ("validations", "saved", "expected"),
    [
        (RISING, {1, 2, 3}, 2),
        (RISING, {1, 3}, 3),
        (RISING, {4}, None),
        ([], {4}, None),
        # The last step is scored on the head, which compares, and on the whole, which does not.
        ([*RISING, validation(4, 1.5), validation(4, 0.5, num_tokens=900, whole=True)], {2, 4}, 2),
        ([*RISING, validation(4, 0.9), validation(4, 1.5, num_tokens=900, whole=True)], {2, 4}, 4),
        # The head became longer when the run resumed.
        ([*RISING, validation(4, 2.5, num_tokens=128), validation(5, 2.6, num_tokens=128)], {2, 4, 5}, 4),
        ([validation(1, 3.0), validation(2, float("nan"))], {1, 2}, 1),
    ],
)
def test_the_best_step_is_the_lowest_of_those_that_compare(validations, saved, expected):
    assert best_step(validations, saved) == expected
