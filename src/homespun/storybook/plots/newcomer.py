"""Somebody new is too shy to play, until something shared is found."""

BEGINNINGS = (
    "Then someone new came to live nearby: {>a_trait} {+kind2} named {+stranger}.{>newcomer}",
    "At school there was a new face: {>a_trait} {+kind2} named {+stranger}.{>newcomer}",
    "Last {>weekday}, {>a_trait} {+kind2} named {+stranger} moved into {>home}.{>newcomer}",
)

RULES = {
    "newcomer": (
        "\n\n{>outing}{>newcomer_sees} {>newcomer_asks} {>newcomer_shy}"
        "\n\n{>newcomer_brings} {>newcomer_finds} {>newcomer_plays} {>newcomer_ending}\n",
    ),
    "newcomer_sees": (
        ", where {stranger} sat {+spot} and ate {>a_meal} alone.",
        " and saw {stranger} {+spot}, looking {>sad}.",
        " with {+look2.a} {+color2} {+thing2}. {stranger} sat {+spot}.",
        (
            ". Someone was hiding {+spot}, under {>worn_a} [blanket|hat|coat|box|net|umbrella|sheet|rug]. "
            "It was {stranger}!"
        ),
    ),
    "newcomer_asks": (
        '"Do you want to play {+game}?" {>asked} {hero} {>softly}.',
        '{hero} {>smiled} and {>said}, "Come and play {+game}!"',
        '"We need one more for {+game}," {>said} {hero} {>softly}.',
        'So {hero} {>asked} {>softly}, "Who wants to play {+game}?"',
    ),
    "newcomer_shy": (
        "But {stranger} only looked at {>sight}.",
        "{stranger} {>wept} and felt {>sad}.",
        '"No, thank you," {>said} {stranger} {>sadly}, and {>went} away.',
        "But {stranger} was too shy to [speak|answer|look up|smile].",
        '"I do not know how," {>said} {stranger} {>sadly}.',
    ),
    "newcomer_brings": (
        "On {>weekday} {hero} brought {>a_meal} and sat down beside {stranger}.",
        "The next {>part} {hero} came back with {+look.a} {+color} {+thing}.",
        '"Give {stranger} {>number} days," {>said} {>odd_a} {+animal} named {+helper} {>softly}.',
        "{hero} drew {>sight} and gave the picture to {stranger}.",
    ),
    "newcomer_finds": (
        '"I love {pastime} and {+pastime3}," {>said} {stranger} {>softly}. "Me too!" {>said} {hero}.',
        "At last they found out that both of them loved {pastime} and {+pastime3}.",
        '"At home I was always {pastime}," {>said} {stranger} {>softly}. "So am I!" {>said} {hero} {>softly}.',
        '{stranger} {>smiled}. "Do you like {pastime}?" {stranger.he} {>asked} {>softly}.',
    ),
    "newcomer_plays": (
        "Soon the two were {pastime} [side by side|under a tree|until dark|in the rain], {>happy} and {>weary}.",
        "They talked for {>number} hours, and then {>feast}.",
        "{stranger} taught {hero} {>number} [songs|jokes|tricks|new words], and they played {game} after all.",
        '"Now let us play {game}!" {>said} {stranger} {>softly}. {hero} {>smiled}.',
    ),
    "newcomer_ending": (
        "Now {stranger} felt {>happy}, and {hero} felt {>happy}.",
        "Ever since, the {kind} and the {kind2} are best friends.",
        '"I am glad that you are here," {>said} {hero} {>softly}.',
        "That {>part} {stranger} told {stranger.his} {+family} all about {hero}.",
        "It takes only one kind word to begin.",
        "And every {>weekday} they meet {spot} to eat {>tasty} {>food}.",
        "{stranger} gave {hero} {+look3.a} {+color3} {+thing3}.",
    ),
}
