"""Who may appear: kinds of hero, names, kinship, and the animals that live in each place."""

from homespun.storybook.world import make_entries

_SHE = {"he": "she", "him": "her", "his": "her", "He": "She", "His": "Her"}
_HE = {"he": "he", "him": "him", "his": "his", "He": "He", "His": "His"}

# Heroes, their friends and their helpers have different names, so that it is clear who speaks.
GIRLS = make_entries("Mia, Lily, Anna, Ruby, Nora, Ella, Clara, Daisy", forms=_SHE)
BOYS = make_entries("Ben, Tom, Max, Sam, Leo, Finn, Jack, Oscar", forms=_HE)
CHILDREN = GIRLS + BOYS

FRIENDLY_GIRLS = make_entries("Wendy, Penny, Holly, Alice, Julia, Kate, Molly, Sophie", forms=_SHE)
FRIENDLY_BOYS = make_entries("Luke, Peter, Simon, George, David, Emil, Harry, Victor", forms=_HE)
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
    *make_entries(
        "girl, farmer's daughter, miller's daughter, shepherd girl",
        links={"names": GIRLS, "friendly_names": FRIENDLY_GIRLS},
    ),
    *make_entries(
        "boy, farmer's son, baker's son, shepherd boy", links={"names": BOYS, "friendly_names": FRIENDLY_BOYS}
    ),
    *make_entries(
        """bear, kitten, puppy, panda, raccoon, hamster, koala, monkey, elephant, kangaroo, zebra, giraffe, lion,
        tiger, camel, penguin, wolf, chipmunk, ferret, llama, walrus, moose, dragon, gnome""",
        links={"names": CHILDREN, "friendly_names": FRIENDS},
    ),
)

FAMILY = (
    *make_entries("mother, grandmother, aunt, big sister, godmother, little sister", forms=_SHE),
    *make_entries("father, grandfather, uncle, big brother, godfather, little brother", forms=_HE),
)

RELATIONS = make_entries("friend, cousin, neighbor, classmate, playmate, best friend, old friend, pen pal")

# Who lives in every garden, and gives advice there.
GARDENERS = tuple(ANIMALS[name] for name in ("robin", "bee", "snail", "toad", "mole", "ladybug", "hedgehog", "sparrow"))
