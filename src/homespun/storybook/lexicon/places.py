"""Where stories go: each place with its preposition, its hiding spots and the animals that live there."""

from homespun.storybook.lexicon.characters import ANIMALS
from homespun.storybook.world import Entry, make_entries, make_entry, split_words


def _place(name: str, spots: str, animals: str) -> Entry:
    return make_entry(
        name,
        links={
            "spots": make_entries(spots),
            "animals": tuple(ANIMALS[animal] for animal in split_words(animals)),
        },
    )


PLACES = (
    _place(
        "park",
        """under a bench, behind the fountain, beside the swings, near an old statue, next to the gate, in a flower
        bed, on a picnic rug, by the hedge""",
        "squirrel, pigeon, duck, dog, sparrow, robin, hedgehog, bee",
    ),
    _place(
        "beach",
        """behind a big rock, near a sand castle, under a beach chair, beside a tide pool, in the seaweed, next to a
        pier, on a dune, inside an old boat""",
        "crab, seagull, turtle, seal, pelican, otter, dog, heron",
    ),
    _place(
        "forest",
        """under a fern, behind an oak tree, inside a hollow log, near a fallen pine, between two roots, in the moss,
        by a spring, on a branch""",
        "owl, deer, fox, squirrel, hedgehog, badger, crow, bat",
    ),
    _place(
        "meadow",
        """in the tall grass, behind a haystack, under a thorn bush, near a molehill, beside the brook, on a tree
        stump, among the poppies, by a scarecrow""",
        "rabbit, mouse, bee, ladybug, grasshopper, lamb, pony, mole",
    ),
    _place(
        "market",
        """under the fruit stand, behind a flower cart, between two barrels, near the well, inside a crate, on a sack,
        by the fishmonger, among the melons""",
        "cat, dog, mouse, pigeon, donkey, parrot, hen, goat",
    ),
    _place(
        "farm",
        """behind the barn, under the hay wagon, near the chicken coop, inside the stable, by a water trough, on a
        bale, among the milk cans, in the hayloft""",
        "hen, goat, goose, pony, pig, lamb, cat, donkey",
    ),
    _place(
        "garden",
        """under a rose bush, behind the shed, inside a flower pot, near the pumpkins, beside the pump, among the
        beans, on the path, by the compost""",
        "bee, snail, robin, mole, ladybug, toad, mouse, grasshopper",
    ),
    _place(
        "lake",
        """under a canoe, behind a tent, near the campfire, between two birches, on a sandbank, beside a picnic table,
        in the reeds, at the jetty""",
        "swan, beaver, duck, heron, dragonfly, otter, frog, fox",
    ),
)
