"""What can be owned, lost, wished for, eaten and played."""

from homespun.storybook.world import make_entries, make_entry

THINGS = make_entries(
    """kite, ball, doll, drum, whistle, lantern, puppet, flute, scarf, marble, bell, basket, compass, button, key,
    feather, music box, map, spoon, hat, pinwheel, teddy bear, toy boat, wooden horse, paintbrush, umbrella,
    telescope, coin, notebook, yo-yo, ring, jump rope, fan, mask, cup, bracelet, locket, blanket, pillow, rattle,
    sled, racket, trumpet, fiddle, harmonica, tambourine, ribbon, backpack, lunch box, candle, magnet, medal, crown,
    cape, mirror, pencil, flag, tent, hoop, toy train, wooden duck, whisk, toy ship, rag rabbit"""
)

COLORS = make_entries(
    """red, blue, green, yellow, purple, orange, pink, silver, golden, white, brown, black, gray, turquoise, violet,
    striped"""
)

LOOKS = make_entries(
    """little, shiny, old, tiny, pretty, lovely, plain, bright, funny, fancy, special, splendid, small, fine, curious,
    perfect, neat, elegant, simple, wonderful, charming, handsome, strange, sparkling"""
)

FOODS = make_entries(
    """bread rolls, apple tarts, honey cakes, plums, oat cookies, cheese puffs, nuts, cherries, pancakes, muffins,
    waffles, ginger biscuits, pears, strawberries, raisin buns, corn cakes, raspberries, figs, dates, dumplings,
    pretzels, grapes, peaches, carrots, radishes, crackers, turnovers, peanuts, blueberries, apricots, lemon bars,
    scones"""
)

GAMES = make_entries(
    """hide-and-seek, tag, leapfrog, pirates, knights, explorers, hopscotch, catch, make-believe, treasure hunters,
    follow the leader, marching band, circus, robbers, detectives, shopkeepers, wizards, astronauts, cowboys, doctors,
    bakers, firefighters, sailors, lion tamers"""
)

PASTIMES = make_entries(
    """climbing trees, singing songs, drawing birds, telling jokes, baking bread, skipping stones, reading maps,
    building forts, collecting shells, dancing, watching clouds, solving riddles, jumping in puddles, counting stars,
    planting flowers, whistling tunes, painting pictures, flying paper planes, making soup, rolling down hills,
    picking berries, writing poems, catching raindrops, knitting socks, feeding ducks, juggling, chasing bubbles,
    carving whistles, asking questions, inventing machines, walking on stilts, blowing dandelions"""
)

# What grows in a garden, and what it is good for.
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
