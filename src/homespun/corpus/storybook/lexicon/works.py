"""What hands can make, break and grow: gifts, accidents and seeds, each with its own mishaps and remedies."""

from homespun.corpus.storybook.world import Entry, make_entries, make_entry


def _gift(name: str, *, materials: str, mishaps: dict[str, str]) -> Entry:
    return make_entry(
        name,
        links={
            "materials": make_entries(materials),
            "mishaps": tuple(
                make_entry(mishap, links={"remedies": make_entries(remedies)}) for mishap, remedies in mishaps.items()
            ),
        },
    )


GIFTS = (
    _gift(
        "scarf",
        materials="soft wool, thick yarn, two old sweaters, silky thread",
        mishaps={
            "the yarn got tangled": "untied it knot by knot, wound it up again",
            "a needle snapped in two": "carved a new one, borrowed a needle next door",
            "the scarf was much too short": "added a striped end, knitted on a pocket",
        },
    ),
    _gift(
        "picture",
        materials="berry juice, bright crayons, colored chalk, pressed petals",
        mishaps={
            "the paint jar tipped over": "turned the spot into a sun, painted a whale over the spot",
            "the paper tore": "taped the back, made the tear into a river",
            "the brush lost its hairs": "dipped a finger instead, used a feather instead",
        },
    ),
    _gift(
        "cake",
        materials="flour and butter, eggs and honey, ripe bananas, nuts and cream",
        mishaps={
            "the batter spilled": "mopped it up and stirred some more, mixed a second bowl",
            "the middle sank": "filled the hole with cream, heaped berries in the hole",
            "the bottom burned": "cut off the black part, hid it under icing",
        },
    ),
    _gift(
        "birdhouse",
        materials="thin boards, an old crate, twigs and clay, smooth planks",
        mishaps={
            "the roof fell off": "used longer nails, tied it on with wire",
            "the door was too small": "filed it wider, sawed a bigger hole",
            "the hammer broke": "used a stone instead, glued the last boards",
        },
    ),
    _gift(
        "necklace",
        materials="glass beads, painted acorns, tiny shells, silver buttons",
        mishaps={
            "the string broke": "used fishing line, twisted two strings together",
            "the beads rolled away": "swept under the bed, gathered them with a magnet",
            "the clasp was lost": "tied a bow instead, bent a new hook",
        },
    ),
    _gift(
        "basket",
        materials="willow twigs, dry reeds, strips of bark, long straw",
        mishaps={
            "the handle came loose": "wove it in again, braided a stronger one",
            "the twigs dried out": "soaked them in the tub, cut fresh green ones",
            "a hole showed in the bottom": "lined it with cloth, patched it with leather",
        },
    ),
    _gift(
        "quilt",
        materials="flannel squares, worn-out shirts, velvet scraps, flowered cotton",
        mishaps={
            "the thread ran out": "unraveled a sock, traded a marble for more",
            "two squares did not match": "sewed a heart between them, dyed them with tea",
            "the cat slept on it": "brushed off the fur, shook it from the window",
        },
    ),
    _gift(
        "paper crown",
        materials="gold foil, stiff card, old calendars, shiny wrappers",
        mishaps={
            "one point bent over": "stiffened it with a straw, folded the others to match",
            "the crown was too wide": "pinned it tighter, cut out a strip",
            "the glue would not dry": "fanned it with a book, set it by the stove",
        },
    ),
)


def _accident(item: str, *, how: str, repairs: str) -> Entry:
    return make_entry(item, links={"how": make_entries(how), "repairs": make_entries(repairs)})


ACCIDENTS = (
    _accident(
        "clay vase",
        how="bumped the shelf, spun around too fast, reached for a book",
        repairs="glued the pieces together, sorted the pieces like a puzzle, filled the cracks with gold paint",
    ),
    _accident(
        "garden gate",
        how="swung on it, rode a wagon into it, slammed it too hard",
        repairs="screwed on a new hinge, nailed the boards back, sanded and painted it",
    ),
    _accident(
        "honey pot",
        how="climbed on a stool, lifted it with sticky paws, forgot to close the lid",
        repairs="scrubbed the floor, wiped every tile, filled a new pot",
    ),
    _accident(
        "kitchen window",
        how="kicked a ball indoors, tossed a pebble, waved a broom about",
        repairs="swept up the glass, measured a new pane, pressed in the putty",
    ),
    _accident(
        "teapot",
        how="danced with the tray, tripped on the rug, tugged at the tablecloth",
        repairs="mended the spout, glued on the handle, painted roses over the crack",
    ),
    _accident(
        "rocking chair",
        how="stood on the seat, rocked like a wild pony, piled up too many books",
        repairs="whittled a new leg, tightened the screws, bound it with rope",
    ),
    _accident(
        "rain barrel",
        how="pulled out the plug, leaned on the rim, rolled it down the path",
        repairs="hammered the hoop on, carried back the water, stopped the leak with wax",
    ),
    _accident(
        "clock",
        how="turned the hands backward, opened the little door, shook it to hear the cuckoo",
        repairs="oiled the wheels, hooked the spring back, straightened the hands",
    ),
    _accident(
        "lace curtain",
        how="played ghost with it, swung from the rod, chased a moth with scissors",
        repairs="stitched up the tear, washed and hemmed it, sewed on a lace butterfly",
    ),
    _accident(
        "snow globe",
        how="shook it wildly, juggled with it, balanced it on one finger",
        repairs="blew a new dome, sealed it with resin, stirred in fresh glitter",
    ),
)

SEEDS = tuple(
    make_entry(seed, links={"dishes": make_entries(dishes)})
    for seed, dishes in {
        "bean": "bean soup, bean stew, a hundred bean cakes, beans on toast",
        "sunflower": "roasted seeds, seed bread, yellow bouquets, a bright golden oil",
        "pumpkin": "pumpkin pie, pumpkin soup, pumpkin bread, a row of lanterns",
        "tomato": "tomato soup, red sauce, tomato salad, a big tray of pizza",
        "carrot": "carrot cake, carrot stew, carrot juice, buttered carrots",
        "strawberry": "strawberry jam, strawberry pie, berries and cream, pink ice cream",
        "pea": "pea soup, peas and rice, a bowl of sweet peas, pea pancakes",
        "melon": "melon slices, melon sorbet, fruit punch, a fruit salad",
        "corn": "popcorn, corn bread, corn chowder, roasted ears",
        "cabbage": "cabbage soup, cabbage rolls, pickled cabbage, cabbage salad",
    }.items()
)
