"""Two friends fall out over something found, and learn that it is no fun alone."""

BEGINNINGS = (
    "{hero} and {hero.his} {>trait} {+relation} {+friend} did everything together.{>quarrel}",
    "Next door lived {hero.his} {>trait} {+relation} {+friend}, as {>trait} as {hero}.{>quarrel}",
    "Nobody made {hero.him} laugh like {hero.his} {>trait} {+relation} {+friend}.{>quarrel}",
)

RULES = {
    "quarrel": (
        "\n\n{>outing}{>quarrel_game} {>quarrel_find} {>quarrel_holder} {>quarrel_words}"
        "\n\n{>quarrel_sulk} {>quarrel_advice}"
        "\n\n{>quarrel_sorry} {>quarrel_ending}\n",
    ),
    "quarrel_game": (
        " with {friend} to play {+game}.",
        " and played {+game} with {friend}.",
        ", where {friend} was playing {+game}.",
        ". {friend} came too, with {>a_meal}, and they played {+game}.",
    ),
    "quarrel_find": (
        "There, {+spot}, lay {+look.a} {+color} {+thing}.",
        "They found {+look.a} {+color} {+thing} {+spot}.",
        "Something glittered {+spot}. It was {+look.a} {+color} {+thing}.",
        "Between {>a_find} and {>a_find} they saw {+look.a} {+color} {+thing} {+spot}.",
    ),
    "quarrel_holder": ("{+holder} [picked it up|saw it|grabbed it|reached it|held it|touched it] first.",),
    "quarrel_words": (
        '"Give it to me!" {>shouted} {+grabber} {>angrily}. "It is mine!" {>shouted} {holder} {>angrily}.',
        (
            '"I want it!" {>shouted} {+grabber} {>angrily}. '
            '"[Never|Go away|Too late|I saw it first]!" {>shouted} {holder}.'
        ),
        "But {+grabber} pulled at it until both [fell down|tumbled over|got muddy|began to cry] {+spot2}.",
        '"Not fair!" {>shouted} {+grabber} {>angrily}, and called {holder} {>worn_a} [toad|thief|baby|goose].',
    ),
    "quarrel_sulk": (
        "{holder} {>went} off with the {thing}. {grabber} sat {+spot3} and felt {>sad}.",
        "For {>number} [days|hours|nights] they did not speak. {holder} felt {>sad}, and {grabber} felt {>sad} too.",
        "{grabber} {>went} home and felt {>sad}. {holder} sat {+spot3} and ate {>a_meal} alone.",
        "Now {holder} showed the {thing} to {>sight}, and {grabber} played with {>a_find}.",
    ),
    "quarrel_advice": (
        "Playing {game} alone was [no fun|dull|not the same|lonely].",
        '"Can {thing.a} play {game}?" {>asked} {>odd_a} {+animal} named {+helper} {>softly}.',
        '"Who will play {game} with you now?" {>asked} {>odd_a} {+animal} named {+helper}.',
        "Even {>odd_a} {+animal} named {+helper} {>wept} and {>went} away.",
        '"{thing.A} is only {thing.a}," {>said} {>odd_a} {+animal} named {+helper} {>softly}.',
    ),
    "quarrel_sorry": (
        '"I am sorry," {>said} {holder} {>sadly}. "You may have the {thing} until {>weekday}."',
        (
            '"I was [mean|silly|selfish|rude]," {>said} {grabber} {>sadly}. '
            '"Let us share the {thing}," {>said} {holder} {>softly}.'
        ),
        '{holder} {>went} to {grabber} with the {thing}. "It is for both of us," {holder.he} {>said} {>softly}.',
        '{grabber} brought {>a_meal}, and {holder} brought the {thing}. "Sorry," they both {>said} {>sadly}.',
    ),
    "quarrel_ending": (
        "Soon they took turns with the {thing} and felt {>happy}.",
        "A {thing} is nice, but {relation.a} is better.",
        "Then {>feast}.",
        "{friend} {>smiled}, {hero} {>smiled}, and they felt {>happy}.",
        '"Shall we play {game}?" {>asked} {friend} {>softly}.',
        "They {>went} home together and saw {>sight}.",
        "{hero} had the {thing} for {>number} days, and then {friend} for {>number}.",
        "Ever since, the {color} {thing} has belonged to both.",
    ),
}
