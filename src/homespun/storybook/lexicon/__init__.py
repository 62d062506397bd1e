"""The storybook's lexicon: lists of entries, and the slots that draw from them."""

from homespun.storybook.lexicon.characters import FAMILY, FRIENDS, GARDENERS, HELPERS, KINDS, RELATIONS
from homespun.storybook.lexicon.places import PLACES
from homespun.storybook.lexicon.things import COLORS, FOODS, GAMES, LOOKS, PASTIMES, SEEDS, THINGS
from homespun.storybook.world import Entry

# fact: (source of its options, as `Slot` defines it; how many of them a story may have, all different)
_FACTS: dict[str, tuple[str | tuple[Entry, ...], int]] = {
    # Who
    "kind": (KINDS, 2),
    "hero": ("kind.names", 1),
    "relation": (RELATIONS, 1),
    "friend": (FRIENDS, 1),
    "family": (FAMILY, 1),
    "animal": ("place.animals", 1),
    "helper": (HELPERS, 1),
    # Where
    "place": (PLACES, 1),
    "spot": ("place.spots", 3),
    # What
    "thing": (THINGS, 3),
    "color": (COLORS, 3),
    "look": (LOOKS, 3),
    "food": (FOODS, 1),
    "treat": (FOODS, 2),
    "game": (GAMES, 2),
    "pastime": (PASTIMES, 3),
    # The quarrel: who has the thing, and who wants it.
    "holder": ("hero|friend", 1),
    # The garden
    "seed": (SEEDS, 2),
    "dish": ("seed.dishes", 2),
    "gardener": (GARDENERS, 1),
    # The newcomer
    "stranger": ("kind2.friendly_names", 1),
}


def _numbered(fact: str, number: int) -> str:
    return fact if number == 1 else f"{fact}{number}"


# The second thing is `thing2`, which must differ from `thing`.
SLOTS = {
    _numbered(fact, number): (source, *(_numbered(fact, earlier) for earlier in range(1, number)))
    for fact, (source, count) in _FACTS.items()
    for number in range(1, count + 1)
}
SLOTS["grabber"] = ("hero|friend", "holder")
