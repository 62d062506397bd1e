"""The small words that all plots choose among: none is remembered, so each is a rule and not a slot."""

from homespun.storybook.lexicon.things import FOODS
from homespun.storybook.world import split_words, with_article

_WORDS = {
    # When
    "weather": """sunny, windy, cloudy, foggy, warm, chilly, bright, misty, breezy, gray, cool, mild, hot, quiet,
        frosty, drizzly""",
    "day": "morning, afternoon, day, evening, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, holiday",
    "part": "morning, afternoon, evening, night",
    "weekday": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
    "afterwards": """Later that day, The next day, Soon after, In the end, After that, A little later, Before long, That
        very day""",
    "month": "January, February, March, April, May, June, July, August, September, October, November, December",
    "number": "two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, twenty",
    "ordinal": "second, third, fourth, fifth, sixth, seventh, eighth, tenth",
    # How people move and speak
    "went": """walked, skipped, hurried, wandered, strolled, marched, raced, hopped, tiptoed, danced, trotted, ran,
        jogged, dashed, ambled, crept""",
    "said": "said, called, whispered, murmured, declared, muttered, cried, breathed",
    "shouted": "shouted, cried, yelled, snapped, screamed, huffed, roared, wailed",
    "cried": "cried, called, shouted, yelled, cheered, exclaimed, whooped, sang out",
    "wailed": "cried, wailed, shouted, screamed, gasped, sobbed, yelled, moaned",
    "asked": "asked, wondered, inquired, mumbled, chirped, whispered, peeped, murmured",
    "smiled": "smiled, grinned, laughed, beamed, giggled, cheered, clapped, nodded",
    "wept": "wept, sighed, sniffed, groaned, frowned, sobbed, gulped, blushed",
    "gave": "gave, handed, offered, passed",
    "softly": """softly, kindly, quietly, gently, cheerfully, warmly, slowly, at once, with a smile, with a wink, with a
        nod, in a small voice, politely, shyly, brightly, after a while, sweetly, calmly, firmly, eagerly, merrily, in a
        low voice, with a bow, from the heart""",
    "sadly": "sadly, quietly, softly, in a small voice, shyly, slowly, with a sigh, in tears",
    "angrily": """angrily, loudly, at once, crossly, rudely, with a stamp, with red cheeks, in a rage, hotly, sharply,
        bitterly, grimly, with a glare, with folded arms, without a blush, over and over""",
    # How they feel and look
    "trait": """kind, curious, brave, cheerful, gentle, clever, quiet, shy, friendly, playful, merry, careful, lively,
        thoughtful, eager, sleepy, polite, honest, funny, daring, jolly, patient, tidy, dreamy, hopeful, busy, sensible,
        graceful, bold, modest, stubborn, silly""",
    "sad": """sad, worried, upset, sorry, gloomy, unhappy, tearful, lonely, miserable, lost, helpless, ashamed, tired,
        hopeless, bitter, alone""",
    "happy": """happy, proud, glad, merry, thankful, cheerful, pleased, joyful, warm inside, delighted, grateful, lucky,
        excited, calm, content, brave""",
    "weary": "weary, sleepy, dusty, hungry, sticky, silent, busy, out of breath",
    "needy": """cold and hungry, wet to the skin, shivering, thin as a twig, all alone, too weak to stand, with a hurt
        foot, lost and tired, without a home, pale and weary, covered in mud, afraid of everyone""",
    # Things of no consequence
    "some": """a plate of, a basket of, a box of, a bag of, a tin of, a tray of, a bowl of, a pile of, a dish of, a heap
        of""",
    # Never also a THING: what is found instead of the thing that was lost.
    "scrap": """boot, comb, glove, plate, sock, bottle, nail, box, shoe, saucer, frying pan, brush, hook, chain, purse,
        jar, lid, pipe, wheel, brick, shingle, net, sack, fork, tire, lamp, shell, wallet, cork, belt, mop, tin can""",
    "tasty": """fresh, tasty, sweet, homemade, delicious, yummy, warm, tiny, golden, little, big, lovely, fine, special,
        wonderful, perfect, hot, cold, spiced, sugared, glazed, splendid, marvelous, heavenly, honeyed, fragrant,
        tender, plump, festive, giant, superb, colorful""",
    "mood": """quiet, empty, busy, sunny, lovely, muddy, peaceful, noisy, big, pretty, crowded, shady, sleepy, nearby,
        famous, windy, green, misty, wide, beautiful, distant, bright, silent, cheerful, lonely, wild, charming, gloomy,
        secret, magical, colorful, enormous""",
    "creature": """butterfly, snail, kitten, swan, pony, moth, sheep, beetle, caterpillar, heron, bunny, goose, lizard,
        rooster, squirrel, dragonfly, calf, puppy, magpie, toad, piglet, parrot, spider, peacock, fox, hen, donkey,
        worm, mole, owl, turtle, crab""",
    "doing": """asleep in the sun, on a fence, in a puddle, by the road, under a hedge, on a mailbox, with mud on its
        nose, in the clover, on a roof, behind a wheelbarrow, chasing its tail, on one leg, under a lamp, in a hat, at a
        window, looking at the sky""",
    # Homes
    "house": """cottage, house, cabin, tower, farmhouse, windmill, hut, bakery, inn, castle, barn, bookshop, lodge,
        villa, boathouse, lighthouse""",
    "whereabouts": """by the sea, on a hill, near the woods, beside a river, behind the school, at the edge of town,
        under an oak, in the valley, on the market square, at the end of a lane, across from a park, near a waterfall,
        between two lakes, far up north, next to a bridge, in the mountains""",
    "tool": "spoon, shovel, stick, spade, trowel, ladle, rake, hoe",
    "can": "bucket, kettle, cup, teapot, boot, watering can, jug, bottle",
}

# Put into a story with "a" or "an".
_WITH_ARTICLE = {
    "a_weather": _WORDS["weather"],
    "a_trait": _WORDS["trait"],
    "odd_a": """old, friendly, plump, wise, small, gray, polite, funny, gentle, ragged, busy, spotted, young, sleepy,
        grumpy, skinny, fluffy, clever, chatty, elegant, curious, limping, lonely, jolly, cheerful, tired, shaggy,
        handsome, dusty, proud, humble, lively""",
    "worn_a": """old, broken, muddy, torn, rusty, dusty, bent, cracked, empty, wet, dirty, faded, dented, tiny, smelly,
        forgotten, scratched, crooked, greasy, moldy, sandy, ragged, lonely, squashed, rotten, patched, worthless,
        strange, heavy, huge, hollow, crumpled""",
    "a_color": "white, yellow, gray, blue, brown, golden, black, spotted, orange, green",
    "home_a": """little, tall, old, crooked, cozy, tiny, white, red, round, quiet, narrow, sunny, blue, pretty, stone,
        wooden""",
}

RULES = {
    **{name: split_words(words) for name, words in _WORDS.items()},
    **{name: tuple(map(with_article, split_words(words))) for name, words in _WITH_ARTICLE.items()},
    "food": tuple(map(str, FOODS)),
}
