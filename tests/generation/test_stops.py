from hypothesis import given
from hypothesis import strategies as st

from homespun.errors import GenerationError
from homespun.generation.stops import check_stops, cut_at_stop
from refusals import refuses


@given(
    strings=st.lists(st.text(alphabet="ab", max_size=4), max_size=8),
    stops=st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3),
)
def test_the_text_does_not_depend_on_how_it_is_divided(strings, stops):
    """Oracle: the text character by character, until it ends with a stop string."""
    text, expected = "".join(strings), "".join(strings)
    for end in range(len(text) + 1):
        if complete := [stop for stop in stops if text[:end].endswith(stop)]:
            expected = text[: end - max(map(len, complete))]
            break
    got = list(cut_at_stop(strings, stops))
    assert "".join(got) == expected
    assert "" not in got


def test_what_cannot_begin_a_stop_is_passed_on_at_once():
    strings = iter(["once ", "upon <", "a>", "<e", "nd>", "never read"])
    text = cut_at_stop(strings, ["<end>"])
    assert next(text) == "once "
    assert next(text) == "upon "
    assert next(text) == "<a>"
    assert list(text) == []
    assert list(strings) == ["never read"]


def test_one_string_is_one_stop():
    assert check_stops("ab") == ("ab",)
    assert check_stops(["ab", "c"]) == ("ab", "c")
    with refuses(GenerationError, "stop = ''"):
        check_stops(["ab", ""])
