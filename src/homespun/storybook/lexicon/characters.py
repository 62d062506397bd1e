"""Who may appear: kinds of hero, names, kinship, and the animals that live in each place."""

from homespun.storybook.world import Entry, make_entries, make_entry, make_person, split_words


def _people(names: str, pronoun: str) -> tuple[Entry, ...]:
    return tuple(make_person(name, pronoun) for name in split_words(names))


# Heroes, their friends and their helpers have names of their own: who says what is never in doubt.
GIRLS = _people("Mia, Lily, Anna, Ruby, Nora, Ella, Clara, Daisy", "she")
BOYS = _people("Ben, Tom, Max, Sam, Leo, Finn, Jack, Oscar", "he")
CHILDREN = GIRLS + BOYS

FRIENDLY_GIRLS = _people("Wendy, Penny, Holly, Alice, Julia, Kate, Molly, Sophie", "she")
FRIENDLY_BOYS = _people("Luke, Peter, Simon, George, David, Emil, Harry, Victor", "he")
FRIENDS = FRIENDLY_GIRLS + FRIENDLY_BOYS

HELPERS = make_entries(
    """Pip, Bramble, Clover, Nutmeg, Biscuit, Pepper, Button, Pebble, Whisker, Ginger, Maple, Thistle, Bluebell, Willow,
    Puddle, Pumpkin"""
)

ANIMALS = {
    str(animal): animal
    for animal in make_entries(
        """badger, bat, beaver, bee, cat, crab, crow, deer, dog, donkey, dragonfly, duck, fox, frog, goat, goose,
        grasshopper, hedgehog, hen, heron, ladybug, lamb, mole, mouse, otter, owl, parrot, pelican, pig, pigeon,
        pony, rabbit, robin, seagull, seal, snail, sparrow, squirrel, swan, toad, turtle"""
    )
}

KINDS = (
    *(
        make_entry(kind, links={"names": GIRLS, "friendly_names": FRIENDLY_GIRLS})
        for kind in ("girl", "farmer's daughter", "miller's daughter", "shepherd girl")
    ),
    *(
        make_entry(kind, links={"names": BOYS, "friendly_names": FRIENDLY_BOYS})
        for kind in ("boy", "farmer's son", "baker's son", "shepherd boy")
    ),
    *(
        Entry(animal.forms, {"names": CHILDREN, "friendly_names": FRIENDS})
        for animal in make_entries(
            """bear, kitten, puppy, panda, raccoon, hamster, koala, monkey, elephant, kangaroo, zebra, giraffe, lion,
            tiger, camel, penguin, wolf, chipmunk, ferret, llama, walrus, moose, dragon, gnome"""
        )
    ),
)

FAMILY = (
    *_people("mother, grandmother, aunt, big sister, godmother, little sister", "she"),
    *_people("father, grandfather, uncle, big brother, godfather, little brother", "he"),
)

RELATIONS = make_entries("friend, cousin, neighbor, classmate, playmate, best friend, old friend, pen pal")

# Who lives in every garden, and gives advice there.
GARDENERS = tuple(ANIMALS[name] for name in ("robin", "bee", "snail", "toad", "mole", "ladybug", "hedgehog", "sparrow"))
