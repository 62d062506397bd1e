"""Something dear is lost, looked for in vain, and found with the help of a stranger."""

BEGINNINGS = (
    "{hero.His} dearest treasure was {+look.a} {+color} {+thing} from {hero.his} {>trait} {+family}.{>lost}",
    "{hero.He} never went anywhere without {+color.a} {+thing}, a gift from {hero.his} {>trait} {+family}.{>lost}",
    "Wherever {hero} went, {hero.his} {+look} {+color} {+thing} came along.{>lost}",
)

RULES = {
    "lost": (
        "\n\n{>outing}{>lost_game} {>lost_gone}"
        "\n\n{>lost_search} {>lost_helper} {>lost_found}"
        "\n\n{>lost_thanks} {>lost_ending}\n",
    ),
    "lost_game": (
        " with {hero.his} {>trait} {+relation} {+friend} to play {+game}.",
        " and played {+game} with {hero.his} {>trait} {+relation} {+friend}.",
        ", where {hero.his} {>trait} {+relation} {+friend} was playing {+game}.",
        ". {hero.His} {>trait} {+relation} {+friend} came too, with {>a_meal}.",
    ),
    "lost_gone": (
        "But soon {hero} {>wept}. The {thing} was gone!",
        'Suddenly {hero} {>wailed}, "Where is my {thing}?"',
        '"My {thing} is gone!" {>wailed} {hero} [at noon|after a while|suddenly|an hour later].',
        "They stopped to look at {>sight}, and then the {thing} was gone!",
        "When {hero} looked into {>worn_a} [bag|basket|knapsack|wagon], the {thing} was gone!",
    ),
    "lost_search": (
        "{friend} looked {+spot} and found {>a_find}. {hero} looked {+spot2} and found {>a_find}.",
        "They searched {+spot} and {+spot2}, but saw only {>a_find} and {>a_find}.",
        "There was {>a_find} {+spot}, and {>a_find} {+spot2}, but no {thing}.",
        "{hero} sat down {+spot} and felt {>sad}. {friend} looked {+spot2} and brought {>a_find}.",
        'All they found {+spot} was {>a_find}. "No {thing}," {>said} {friend} {>softly}.',
    ),
    "lost_helper": (
        'Then {>odd_a} {+animal} named {+helper} {>said}, "I saw something {color} {+spot3}!"',
        '"Did you look {+spot3}?" {>asked} {>odd_a} {+animal} named {+helper}.',
        "They met {>odd_a} {+animal} named {+helper}, who told them to look {+spot3}.",
        "At last {>odd_a} {+animal} named {+helper} [pointed|waved|nodded|winked] at something {+spot3}.",
        '"I am {+helper}," {>said} {>odd_a} {+animal} {>softly}. "Try {+spot3}."',
    ),
    "lost_found": (
        "And there it was, next to {>a_find}!",
        "They {>went} over, and there it was, [safe and sound|a little dusty|a bit muddy|as good as new]!",
        "Sure enough, there it lay, under {>a_find}!",
        "{hero} {>went} over, {>smiled} and picked it up.",
    ),
    "lost_thanks": (
        '"Thank you, {helper}!" {>said} {hero} {>softly}, and {>gave} the {animal} {>a_meal}.',
        '"You are a friend, {helper}," {>said} {hero} {>softly}. Then {>feast}.',
        "{hero} hugged {helper}. Then {>feast}.",
        "{helper} {>smiled}. {>afterwards} {>feast}.",
        "To thank {helper}, {hero} [sang a song|drew a picture|told a joke|did a dance] and brought {>a_meal}.",
    ),
    "lost_ending": (
        "From then on {hero} kept the {thing} in {>a_color} [box|chest|bag|drawer|basket|jar|trunk|cupboard].",
        "What is lost is found when friends look together.",
        "{hero} and {friend} {>went} home, tired but {>happy}.",
        "{friend} {>smiled}, and {hero} felt {>happy}.",
        "On the way home they saw {>sight}.",
        "That night {hero} slept with the {thing} under [the pillow|the quilt|one arm|the bed].",
        '"I will look after it better," {>said} {hero} {>softly}.',
        "Ever since, {hero} and {helper} play {+game2} every {>weekday}.",
    ),
}
