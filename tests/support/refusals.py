"""How tests state that bad input is refused: by the error's type and the facts in its message, not by its wording."""

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
