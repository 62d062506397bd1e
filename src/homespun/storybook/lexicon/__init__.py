"""The storybook's lexicon: lists of entries, and the slots that draw from them."""

from homespun.storybook.lexicon.characters import FAMILY, FRIENDS, GARDENERS, HELPERS, KINDS, RELATIONS
from homespun.storybook.lexicon.places import PLACES
from homespun.storybook.lexicon.things import COLORS, FOODS, GAMES, LOOKS, PASTIMES, SEEDS, THINGS

LISTS = {
    "friends": FRIENDS,
    "helpers": HELPERS,
    "gardeners": GARDENERS,
    "kinds": KINDS,
    "family": FAMILY,
    "relations": RELATIONS,
    "places": PLACES,
    "things": THINGS,
    "colors": COLORS,
    "looks": LOOKS,
    "foods": FOODS,
    "games": GAMES,
    "pastimes": PASTIMES,
    "seeds": SEEDS,
}

# fact: (source of its options, facts it must differ from ...)
SLOTS = {
    # Who
    "kind": ("kinds",),
    "hero": ("kind.names",),
    "relation": ("relations",),
    "friend": ("friends",),
    "family": ("family",),
    "animal": ("place.animals",),
    "helper": ("helpers",),
    # Where
    "place": ("places",),
    "spot": ("place.spots",),
    "spot2": ("place.spots", "spot"),
    "spot3": ("place.spots", "spot", "spot2"),
    # What
    "thing": ("things",),
    "thing2": ("things", "thing"),
    "thing3": ("things", "thing", "thing2"),
    "color": ("colors",),
    "color2": ("colors", "color"),
    "color3": ("colors", "color", "color2"),
    "look": ("looks",),
    "look2": ("looks", "look"),
    "look3": ("looks", "look", "look2"),
    "food": ("foods",),
    "treat": ("foods",),
    "treat2": ("foods", "treat"),
    "game": ("games",),
    "game2": ("games", "game"),
    "pastime": ("pastimes",),
    "pastime2": ("pastimes", "pastime"),
    "pastime3": ("pastimes", "pastime", "pastime2"),
    # The quarrel: who has the thing, and who wants it.
    "holder": ("hero|friend",),
    "grabber": ("hero|friend", "holder"),
    # The garden
    "seed": ("seeds",),
    "seed2": ("seeds", "seed"),
    "dish": ("seed.dishes",),
    "dish2": ("seed.dishes", "dish"),
    "gardener": ("gardeners",),
    # The newcomer
    "kind2": ("kinds", "kind"),
    "stranger": ("kind2.friendly_names",),
}
