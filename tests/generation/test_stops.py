from hypothesis import given
from hypothesis import strategies as st

from homespun.errors import GenerationError
from homespun.generation.stops import check_stops, cut_at_stop
from refusals import refuses

letters = st.text(alphabet="ab", max_size=12)


@given(
    pieces=st.lists(st.text(alphabet="ab", max_size=4), max_size=8),
    stops=st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3),
)
def test_pieces_do_not_matter(pieces, stops):
    """Oracle: the text letter by letter, until a stop string stands at its end."""
    text, expected = "".join(pieces), "".join(pieces)
    for end in range(len(text) + 1):
        if complete := [stop for stop in stops if text[:end].endswith(stop)]:
            expected = text[: end - max(map(len, complete))]
            break
    got = list(cut_at_stop(pieces, stops))
    assert "".join(got) == expected
    assert "" not in got


def test_what_cannot_begin_a_stop_is_passed_on_at_once():
    pieces = iter(["once ", "upon <", "a>", "<e", "nd>", "never read"])
    text = cut_at_stop(pieces, ["<end>"])
    assert next(text) == "once "
    assert next(text) == "upon "
    assert next(text) == "<a>"
    assert list(text) == []
    assert list(pieces) == ["never read"]


def test_one_string_is_one_stop():
    assert check_stops("ab") == ("ab",)
    assert check_stops(["ab", "c"]) == ("ab", "c")
    with refuses(GenerationError, "stop = ''"):
        check_stops(["ab", ""])
