"""How tests state that bad input is refused: by the error's type and the facts in its message, not by its wording."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refuses(kind: type[BaseException], *facts: object) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """Expect the block to raise `kind` with a one-line message that names every fact: a path, a value, an offset.

    with refuses(DataError, path, "byte 17"):
        read_text(path)
    """
    with pytest.raises(kind) as caught:
        yield caught
    message = str(caught.value)
    missing = [str(fact) for fact in facts if str(fact) not in message]
    assert not missing, f"{message!r} does not name {missing}"
    assert "\n" not in message, f"{message!r} takes more than one line"


_CALLS = """
import json, sys
from homespun.errors import HomespunError

setup, calls = json.load(sys.stdin)
exec(setup)
for call, facts in calls:
    try:
        eval(call)
    except HomespunError as error:
        missing = [fact for fact in facts if fact not in str(error)]
        assert not missing and "\\n" not in str(error), (call, str(error), missing)
    else:
        raise AssertionError(f"{call} was not refused")
"""


def refuses_wrong_types(setup: str, calls: list[tuple[str, list[str]]]) -> None:
    """Expect each call to raise a one-line error of ours that names its facts.

    They run in a process without the hook that checks types, as they would for a user, after the statements `setup`.
    """
    given = json.dumps([setup, calls])
    done = subprocess.run([sys.executable, "-c", _CALLS], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
