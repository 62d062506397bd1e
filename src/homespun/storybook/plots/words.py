"""The small words that all plots choose among: none is remembered, so each is a rule and not a slot."""

from homespun.storybook.lexicon.things import FOODS
from homespun.storybook.world import split_words, with_article


def _with_article(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(with_article(word) for word in words)


_WEATHER = split_words(
    """sunny, windy, cloudy, foggy, warm, chilly, bright, misty, breezy, gray, cool, mild, hot, quiet, frosty,
    drizzly"""
)
_TRAITS = split_words(
    """kind, curious, brave, cheerful, gentle, clever, quiet, shy, friendly, playful, merry, careful, lively,
    thoughtful, eager, sleepy, polite, honest, funny, daring, jolly, patient, tidy, dreamy, hopeful, busy, sensible,
    graceful, bold, modest, stubborn, silly"""
)

RULES = {
    # When
    "weather": _WEATHER,
    "a_weather": _with_article(_WEATHER),
    "day": split_words(
        "morning, afternoon, day, evening, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, holiday"
    ),
    "part": split_words("morning, afternoon, evening, night"),
    "weekday": split_words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "afterwards": split_words(
        "Later that day, The next day, Soon after, In the end, After that, A little later, Before long, That very day"
    ),
    "month": split_words(
        "January, February, March, April, May, June, July, August, September, October, November, December"
    ),
    "number": split_words("two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, twenty"),
    "ordinal": split_words("second, third, fourth, fifth, sixth, seventh, eighth, tenth"),
    # How people move and speak
    "went": split_words(
        """walked, skipped, hurried, wandered, strolled, marched, raced, hopped, tiptoed, danced, trotted, ran,
        jogged, dashed, ambled, crept"""
    ),
    "said": split_words("said, called, whispered, murmured, declared, muttered, cried, breathed"),
    "shouted": split_words("shouted, cried, yelled, snapped, screamed, huffed, roared, wailed"),
    "cried": split_words("cried, called, shouted, yelled, cheered, exclaimed, whooped, sang out"),
    "wailed": split_words("cried, wailed, shouted, screamed, gasped, sobbed, yelled, moaned"),
    "asked": split_words("asked, wondered, inquired, mumbled, chirped, whispered, peeped, murmured"),
    "smiled": split_words("smiled, grinned, laughed, beamed, giggled, cheered, clapped, nodded"),
    "wept": split_words("wept, sighed, sniffed, groaned, frowned, sobbed, gulped, blushed"),
    "gave": split_words("gave, handed, offered, passed"),
    "softly": split_words(
        """softly, kindly, quietly, gently, cheerfully, warmly, slowly, at once, with a smile, with a wink, with a
        nod, in a small voice, politely, shyly, brightly, after a while, sweetly, calmly, firmly, eagerly, merrily, in
        a low voice, with a bow, from the heart"""
    ),
    "sadly": split_words("sadly, quietly, softly, in a small voice, shyly, slowly, with a sigh, in tears"),
    "angrily": split_words(
        """angrily, loudly, at once, crossly, rudely, with a stamp, with red cheeks, in a rage, hotly, sharply,
        bitterly, grimly, with a glare, with folded arms, without a blush, over and over"""
    ),
    # How they feel and look
    "trait": _TRAITS,
    "a_trait": _with_article(_TRAITS),
    "sad": split_words(
        """sad, worried, upset, sorry, gloomy, unhappy, tearful, lonely, miserable, lost, helpless, ashamed, tired,
        hopeless, bitter, alone"""
    ),
    "happy": split_words(
        """happy, proud, glad, merry, thankful, cheerful, pleased, joyful, warm inside, delighted, grateful, lucky,
        excited, calm, content, brave"""
    ),
    "odd_a": _with_article(
        split_words(
            """old, friendly, plump, wise, small, gray, polite, funny, gentle, ragged, busy, spotted, young, sleepy,
            grumpy, skinny, fluffy, clever, chatty, elegant, curious, limping, lonely, jolly, cheerful, tired, shaggy,
            handsome, dusty, proud, humble, lively"""
        )
    ),
    "weary": split_words("weary, sleepy, dusty, hungry, sticky, silent, busy, out of breath"),
    "needy": split_words(
        """cold and hungry, wet to the skin, shivering, thin as a twig, all alone, too weak to stand, with a hurt
        foot, lost and tired, without a home, pale and weary, covered in mud, afraid of everyone"""
    ),
    # Things of no consequence
    "worn_a": _with_article(
        split_words(
            """old, broken, muddy, torn, rusty, dusty, bent, cracked, empty, wet, dirty, faded, dented, tiny, smelly,
            forgotten, scratched, crooked, greasy, moldy, sandy, ragged, lonely, squashed, rotten, patched, worthless,
            strange, heavy, huge, hollow, crumpled"""
        )
    ),
    # Never also a THING: what is found instead of the thing that was lost.
    "scrap": split_words(
        """boot, comb, glove, plate, sock, bottle, nail, box, shoe, saucer, frying pan, brush, hook, chain, purse,
        jar, lid, pipe, wheel, brick, shingle, net, sack, fork, tire, lamp, shell, wallet, cork, belt, mop, tin can"""
    ),
    "food": tuple(str(food) for food in FOODS),
    "some": split_words(
        "a plate of, a basket of, a box of, a bag of, a tin of, a tray of, a bowl of, a pile of, a dish of, a heap of"
    ),
    "tasty": split_words(
        """fresh, tasty, sweet, homemade, delicious, yummy, warm, tiny, golden, little, big, lovely, fine, special,
        wonderful, perfect, hot, cold, spiced, sugared, glazed, splendid, marvelous, heavenly, honeyed, fragrant,
        tender, plump, festive, giant, superb, colorful"""
    ),
    "a_color": _with_article(split_words("white, yellow, gray, blue, brown, golden, black, spotted, orange, green")),
    "mood": split_words(
        """quiet, empty, busy, sunny, lovely, muddy, peaceful, noisy, big, pretty, crowded, shady, sleepy, nearby,
        famous, windy, green, misty, wide, beautiful, distant, bright, silent, cheerful, lonely, wild, charming,
        gloomy, secret, magical, colorful, enormous"""
    ),
    "creature": split_words(
        """butterfly, snail, kitten, swan, pony, moth, sheep, beetle, caterpillar, heron, bunny, goose, lizard,
        rooster, squirrel, dragonfly, calf, puppy, magpie, toad, piglet, parrot, spider, peacock, fox, hen, donkey,
        worm, mole, owl, turtle, crab"""
    ),
    "doing": split_words(
        """asleep in the sun, on a fence, in a puddle, by the road, under a hedge, on a mailbox, with mud on its nose,
        in the clover, on a roof, behind a wheelbarrow, chasing its tail, on one leg, under a lamp, in a hat, at a
        window, looking at the sky"""
    ),
    # Homes
    "home_a": _with_article(
        split_words(
            """little, tall, old, crooked, cozy, tiny, white, red, round, quiet, narrow, sunny, blue, pretty, stone,
            wooden"""
        )
    ),
    "house": split_words(
        """cottage, house, cabin, tower, farmhouse, windmill, hut, bakery, inn, castle, barn, bookshop, lodge, villa,
        boathouse, lighthouse"""
    ),
    "whereabouts": split_words(
        """by the sea, on a hill, near the woods, beside a river, behind the school, at the edge of town, under an
        oak, in the valley, on the market square, at the end of a lane, across from a park, near a waterfall, between
        two lakes, far up north, next to a bridge, in the mountains"""
    ),
    "tool": split_words("spoon, shovel, stick, spade, trowel, ladle, rake, hoe"),
    "can": split_words("bucket, kettle, cup, teapot, boot, watering can, jug, bottle"),
}
