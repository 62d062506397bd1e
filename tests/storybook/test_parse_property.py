"""Storybook properties over all seeds: unique parsing, and what parses is a story."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homespun.errors import DataError
from homespun.storybook import Story, Storybook

pytestmark = pytest.mark.property

STORYBOOK = Storybook()
INDICES, SEEDS = st.integers(0, 10**9), st.integers()


@settings(deadline=None)
@given(index=INDICES, seed=SEEDS)
def test_text_determines_choices(index, seed):
    """Oracle: the choices that were drawn."""
    story = STORYBOOK.draw(index, seed=seed)
    assert STORYBOOK.parse(story.text) == story


@settings(deadline=None)
@given(index=INDICES, seed=SEEDS, share=st.floats(0, 1, exclude_max=True), letter=st.characters())
def test_an_altered_text_is_another_story_or_refused(index, seed, share, letter):
    """Oracle: one derivation a text; so a text that parses has other choices than the text it was made from."""
    story = STORYBOOK.draw(index, seed=seed)
    at = int(share * len(story.text))
    other = parse_or_none(story.text[:at] + letter + story.text[at + 1 :])
    if other is not None:
        assert (other.choices == story.choices) == (other.text == story.text)


def parse_or_none(text: str) -> Story | None:
    try:
        story = STORYBOOK.parse(text)
    except DataError:
        return None
    assert story.text == text
    return story
