"""End a text at the first stop string, however the strings it arrives in are cut."""

from collections.abc import Iterable, Iterator, Sequence

from homespun.errors import GenerationError


def check_stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    """The stop strings as a tuple; a single string is one of them, not its characters.

    Raises:
        GenerationError: one is empty, which every text contains at its start.
    """
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if "" in stops:
        raise GenerationError("stop = '' would end every text before it begins; leave it out")
    return stops


def cut_at_stop(strings: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Yield the text of `strings` up to the stop string that is complete first, without it.

    Of two that end at the same character the longer counts. Characters that may yet turn out to begin a stop string
    are held back; everything else is yielded at once.

    Example: strings "a", "b<", "/s", "> c" and stop "</s>" give "a", "b".
    """
    held = ""
    for string in strings:
        held += string
        found = [(begin + len(stop), begin) for stop in stops if (begin := held.find(stop)) >= 0]
        if found:
            if text := held[: min(found)[1]]:
                yield text
            return
        safe = len(held) - max((_overlap(held, stop) for stop in stops), default=0)
        if safe:
            yield held[:safe]
            held = held[safe:]
    if held:
        yield held


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` with which `stop` begins, at most all but one of it."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
