"""What every test may use."""

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure; each test has pytest's own limit.
settings.register_profile("homespun", deadline=None)
settings.load_profile("homespun")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of third-party texts beside the checkout; a test that needs it skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the third-party texts are not part of the project")
    return folder
