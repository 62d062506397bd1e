"""The first 50 steps of the demo, so that initialization, data, model, schedule and optimizer cannot change together.

Oracle: the figures that `python tests/support/golden_curve.py` wrote, which are checked in.
"""

import pytest

from golden_curve import COMMAND, NUM_STEPS, find_machine, read_golden, train_curve

pytestmark = [pytest.mark.golden, pytest.mark.timeout(300)]

REMEDY = (
    f"if the change is meant to move these figures, say so in its commit and write them again with `{COMMAND}`; "
    "else find out what moved them"
)


@pytest.fixture(scope="module")
def curve(tmp_path_factory):
    return train_curve(tmp_path_factory.mktemp("curve"))


def test_the_data_are_those_of_the_golden_curve(curve):
    assert curve.data == read_golden().data, f"tokenizer or data sets changed; {REMEDY}"


@pytest.mark.parametrize("figure", ["loss", "grad_norm"])
def test_any_machine_gives_the_curve_up_to_rounding(curve, figure):
    """1e-3: rounding errors grow over 50 steps; torch without vector instructions was found to differ by 5e-7."""
    expected, found = getattr(read_golden(), figure), getattr(curve, figure)
    assert len(found) == NUM_STEPS
    for step, (theirs, ours) in enumerate(zip(expected, found, strict=True), start=1):
        assert ours == pytest.approx(theirs, rel=1e-3), f"{figure} of step {step}; {REMEDY}"


def test_a_machine_of_the_same_kind_gives_the_same_bits(curve):
    golden = read_golden()
    if (own := find_machine()) != golden.machine:
        pytest.skip(f"this machine computes otherwise: {own}, not {golden.machine}")
    for name in ("loss", "grad_norm"):
        expected, found = getattr(golden, name), getattr(curve, name)
        step = next((i for i, (theirs, ours) in enumerate(zip(expected, found, strict=True)) if theirs != ours), None)
        assert step is None, f"{name} of step {step + 1}: {found[step]!r}, not {expected[step]!r}; {REMEDY}"
