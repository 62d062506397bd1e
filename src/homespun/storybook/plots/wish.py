"""A wish is made; a kindness to someone in need is what grants it."""

BEGINNINGS = (
    "There was only one thing {hero} wished for: {+look.a} {+color} {+thing}.{>wish}",
    "Every night {hero.he} looked at the [moon|stars|sky|clouds] and wished for {+look.a} {+color} {+thing}.{>wish}",
    '"If only I had {+color.a} {+thing}," {hero} [said|sighed|thought|sang] every {>weekday}.{>wish}',
)

RULES = {
    "wish": (
        "\n\n{>outing}{>wish_food} {>wish_meeting} {>wish_plea} {>wish_share}\n\n{>wish_granted} {>wish_ending}\n",
    ),
    "wish_food": (
        " with {>some} {>tasty} {+food} in {hero.his} [basket|bag|pocket|lunch box].",
        " to bring {>some} {>tasty} {+food} to {hero.his} {>trait} {+family}.",
        ", eating {>some} {>tasty} {+food} on the way.",
        ". {hero.His} {+family} had packed {>some} {>tasty} {+food} for {hero.him}.",
        " and sat down to eat {>some} {>tasty} {+food}.",
    ),
    "wish_meeting": (
        "There, {+spot}, sat {>odd_a} {+animal} named {+helper}, {>needy}.",
        "Someone {>wept} {+spot}. It was {>odd_a} {+animal} named {+helper}.",
        'Then {hero} saw {>odd_a} {+animal} {+spot}, {>needy}. "I am {+helper}," it {>said} {>sadly}.',
        '"Please help me," {>said} {>odd_a} {+animal} named {+helper} {+spot}, {>needy}.',
    ),
    "wish_plea": (
        '"I have not eaten since {>weekday}," {>said} {helper} {>sadly}.',
        '"Could you spare a bite?" {>asked} {helper} {>sadly}.',
        '"My {>number} little ones are hungry," {>said} {helper} {>sadly}.',
        '"I have walked for {>number} [days|nights|hours|miles]," {>said} {helper} {>sadly}.',
        '"Since {>weekday} I have eaten only {>a_find}," {>said} {helper}.',
    ),
    "wish_share": (
        "{hero} was hungry too, but {>gave} {helper} the {food} and {+look2.a} {+color2} [coat|cap|blanket|scarf].",
        (
            "So {hero} {>gave} {helper} [half|most|all|the best] of the {food} "
            "and {+look2.a} {+color2} [coat|cap|blanket|scarf]."
        ),
        "With a smile {hero} {>gave} {helper} the {food} and {+color2.a} [coat|cap|blanket|scarf].",
        "They shared the {food} and talked about {pastime} until {>weekday}.",
    ),
    "wish_granted": (
        '"Count to {>number}," {>said} {helper} {>softly}, and there was {color.a} {thing}!',
        "On {>weekday}, {color.a} {thing} lay on the [doorstep|windowsill|mat|bench], next to {>a_meal} from {helper}.",
        (
            '"You are [kind|good|generous|a friend|an angel|sweet]," {>said} {helper} {>softly}, '
            "and {>gave} {hero.him} {color.a} {thing}."
        ),
        "Then {helper} [whistled|sang|clapped|hummed] {>number} times, and {>sight} brought {color.a} {thing}!",
        '"What do you wish for?" {>asked} {helper}. "{color.A} {thing}," {>said} {hero} {>softly}. And there it was!',
    ),
    "wish_ending": (
        "{hero} was so {>happy} that {hero.he} forgot about {pastime}.",
        '"Thank you, {helper}!" {>said} {hero} {>softly}.',
        "Whoever gives with both hands gets back with both hands.",
        "Now {hero} and {helper} meet every {>weekday} to play {+game}.",
        "So {hero} {>smiled} and felt {>happy}.",
        "That night {>feast}.",
        "On the way home {hero} told {>sight} all about it.",
    ),
}
