"""Something that was not for playing is broken; the truth is told, and the damage made good."""

BEGINNINGS = (
    (
        '"Be careful with my {+color} {+item}," '
        "{hero.his} {>trait} {+family} [said|called|warned|sang] every {>weekday}.{>mess}"
    ),
    (
        "There was one thing at home that was not for playing: the {+color} "
        "{+item} of {hero.his} {>trait} {+family}.{>mess}"
    ),
    "Now, {hero.his} {>trait} {+family} had {+look.a} {+color} {+item}.{>mess}",
)

RULES = {
    "mess": (
        "\n\n{>one_day} {hero} was playing {+game} with {hero.his} {>trait} {+relation} {+friend}. {>mess_crash}"
        "\n\n{>mess_temptation} {>mess_truth} {>mess_answer}"
        "\n\n{>mess_repair} {>mess_ending}\n",
    ),
    "mess_crash": (
        "Then {hero} {+how}, and the {item} was [ruined|done for|a sad sight|spoiled].",
        (
            '"Watch me!" {>cried} {hero}. {hero.He} {+how}. '
            "[Crash|Bang|Oh dear|Boom|Clatter|Smash|Thud|Snap]! Poor {item}!"
        ),
        (
            '"Stop!" {>wailed} {friend}. But {hero} {+how}. '
            "[Crash|Bang|Oh dear|Boom|Clatter|Smash|Thud|Snap]! Poor {item}!"
        ),
        "To impress {>sight}, {hero} {+how}. [Crash|Bang|Oh dear|Boom|Clatter|Smash|Thud|Snap]! Poor {item}!",
    ),
    "mess_temptation": (
        '"We could say it was {>sight}," {>said} {friend} {>softly}.',
        "{hero} thought of [hiding|running away|blaming the cat|saying nothing], but felt too {>sad}.",
        '"Let us go and eat {>a_meal}," {>said} {friend} {>softly}.',
        "They hid it [under|behind] {>a_find} and {>a_find}, but felt {>sad}.",
        "They put {+look3.a} {+color2} {+thing} in its place, but still felt {>sad}.",
    ),
    "mess_truth": (
        "But {hero} {>went} to {hero.his} {family} and told the truth.",
        'On {>weekday} {hero} {>said} {>sadly}, "I [broke|spoiled|ruined|damaged] it."',
        '"It was me," {hero} {>said} {>sadly}, and {>wept}.',
        '"No," {>said} {hero} {>softly}, and told {hero.his} {family} on {>weekday}.',
    ),
    "mess_answer": (
        '{hero.His} {family} took {>number} breaths. "Thank you for telling me," {family.he} {>said} {>softly}.',
        '"I once {+how2} myself," {>said} {hero.his} {family} {>softly}.',
        '"You are [brave|honest|good|my treasure]," {>said} {hero.his} {family} {>softly}.',
        "First {hero.his} {family} {>wept}, but then {family.he} {>smiled}.",
    ),
    "mess_repair": (
        "So {hero} {+repair}, {friend} {+repair2}, and then they shared {>a_meal}.",
        "After {>a_meal}, {hero} {+repair}, and {hero.his} {family} {+repair2}.",
        (
            "All {>part} {friend} worked with {>a_color} [hammer|brush|broom|needle|sponge|ladder|rag|knife], "
            "and {hero} {+repair}."
        ),
        "To pay for it {hero} sold {+look2.a} {+color3} {+thing2}, and {+repair}.",
    ),
    "mess_ending": (
        "Then {>feast}.",
        "The truth is hard to tell, but lighter than a lie.",
        "Ever since, they only play {game} [outside|in the yard|in the woods|on the grass].",
        "{hero} felt {>happy}, and {friend} felt {>happy} too.",
        "And {hero.his} {family} brought {>a_meal} and {>tasty} {>food}.",
        '"Shall we play {game}?" {>asked} {friend} {>softly}. "Outside!" {>said} {hero.his} {family}.',
        "An honest {kind} is worth more than {>number} {item}s.",
    ),
}
