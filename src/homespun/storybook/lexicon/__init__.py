"""The storybook's lexicon: lists of entries, and the slots that draw from them."""

from homespun.storybook.lexicon.characters import FAMILY, FRIENDS, GARDENERS, HELPERS, KINDS, RELATIONS
from homespun.storybook.lexicon.places import PLACES
from homespun.storybook.lexicon.things import COLORS, FOODS, GAMES, LOOKS, PASTIMES, SEEDS, THINGS
from homespun.storybook.world import Entry

# fact: (source of its options, as `Slot` defines it; facts it must differ from ...)
SLOTS: dict[str, tuple[str | tuple[Entry, ...], *tuple[str, ...]]] = {
    # Who
    "kind": (KINDS,),
    "hero": ("kind.names",),
    "relation": (RELATIONS,),
    "friend": (FRIENDS,),
    "family": (FAMILY,),
    "animal": ("place.animals",),
    "helper": (HELPERS,),
    # Where
    "place": (PLACES,),
    "spot": ("place.spots",),
    "spot2": ("place.spots", "spot"),
    "spot3": ("place.spots", "spot", "spot2"),
    # What
    "thing": (THINGS,),
    "thing2": (THINGS, "thing"),
    "thing3": (THINGS, "thing", "thing2"),
    "color": (COLORS,),
    "color2": (COLORS, "color"),
    "color3": (COLORS, "color", "color2"),
    "look": (LOOKS,),
    "look2": (LOOKS, "look"),
    "look3": (LOOKS, "look", "look2"),
    "food": (FOODS,),
    "treat": (FOODS,),
    "treat2": (FOODS, "treat"),
    "game": (GAMES,),
    "game2": (GAMES, "game"),
    "pastime": (PASTIMES,),
    "pastime2": (PASTIMES, "pastime"),
    "pastime3": (PASTIMES, "pastime", "pastime2"),
    # The quarrel: who has the thing, and who wants it.
    "holder": ("hero|friend",),
    "grabber": ("hero|friend", "holder"),
    # The garden
    "seed": (SEEDS,),
    "seed2": (SEEDS, "seed"),
    "dish": ("seed.dishes",),
    "dish2": ("seed.dishes", "dish"),
    "gardener": (GARDENERS,),
    # The newcomer
    "kind2": (KINDS, "kind"),
    "stranger": ("kind2.friendly_names",),
}
