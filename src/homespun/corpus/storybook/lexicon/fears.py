"""What a hero may be afraid of, each with when it comes, what helps, and what the hero dares in the end."""

from homespun.corpus.storybook.world import Entry, make_entries, make_entry


def _fear(name: str, *, comes: tuple[str, ...], tips: tuple[str, ...], feats: tuple[str, ...]) -> Entry:
    return make_entry(
        name, links={"comes": make_entries(comes), "tips": make_entries(tips), "feats": make_entries(feats)}
    )


FEARS = (
    _fear(
        "the dark",
        comes=("the lamp went out", "the moon hid behind a cloud", "the last candle burned down"),
        tips=("look for the stars", "listen for the crickets", "hold my hand", "wait until your eyes can see"),
        feats=("slept without a lamp", "walked to the well at night", "told stories in the dark"),
    ),
    _fear(
        "thunder",
        comes=("the sky began to rumble", "lightning flashed over the roof", "a great storm rolled in"),
        tips=(
            "count until the next rumble",
            "sing louder than the storm",
            "clap back at the sky",
            "dance to the drums",
        ),
        feats=("watched the storm from the porch", "clapped at every rumble", "slept through the whole storm"),
    ),
    _fear(
        "deep water",
        comes=("the path ended at a wide stream", "everyone jumped into the lake", "the ball rolled into the pond"),
        tips=("put in one toe first", "float like a leaf", "blow bubbles", "kick like a frog"),
        feats=("swam all the way across", "jumped in with a splash", "floated under the clouds"),
    ),
    _fear(
        "high places",
        comes=("a kitten was stuck in a tree", "the trail climbed up a cliff", "the swing flew above the fence"),
        tips=("look up and not down", "go one step at a time", "hold on with both hands", "think of the view"),
        feats=("climbed to the very top", "waved from the tallest branch", "stood on the tower and smiled"),
    ),
    _fear(
        "big dogs",
        comes=("a huge hound ran up the lane", "something barked behind the hedge", "a shaggy dog blocked the gate"),
        tips=("stand still like a tree", "let him sniff your fingers", "speak in a soft voice", "offer him a crust"),
        feats=("scratched the dog behind the ears", "threw sticks for the dog", "walked the dog around the block"),
    ),
    _fear(
        "spiders",
        comes=(
            "a spider dropped from the ceiling",
            "a web stretched across the door",
            "eight legs tickled the windowsill",
        ),
        tips=("count its legs", "see how well it spins", "give it a funny name", "remember that it is tiny"),
        feats=("carried the spider outside in a cup", "drew a picture of the web", "said good night to the spider"),
    ),
    _fear(
        "the attic",
        comes=("something creaked above the bed", "the attic door swung open", "strange footsteps came from above"),
        tips=("bring a lamp", "knock before you go in", "open the curtains first", "hum a brave tune"),
        feats=("made a den in the attic", "found old costumes in the attic", "had a tea party in the attic"),
    ),
    _fear(
        "bees",
        comes=("a bee landed on the jam", "the roses started to buzz", "a swarm settled in the plum tree"),
        tips=("sit still as a stone", "breathe slowly", "think of honey", "let them do their work"),
        feats=("watched the bees all afternoon", "planted clover for the bees", "tasted honey beside the hive"),
    ),
    _fear(
        "the wind",
        comes=("the shutters began to bang", "the trees bent and howled", "a gust blew down the chimney"),
        tips=("spread your arms like wings", "howl right back", "pretend that it is a song", "lean into it and laugh"),
        feats=("flew down the hill with arms wide", "raced the wind to the gate", "hung up a chime to sing along"),
    ),
    _fear(
        "speaking up",
        comes=("the teacher asked for a poem", "it was time to sing for everyone", "all eyes turned to the front"),
        tips=("look at one friendly face", "take three deep breaths", "start with a smile", "pretend we are alone"),
        feats=("sang every verse out loud", "read the poem to the whole hall", "bowed while everyone cheered"),
    ),
)
