"""A seed is planted, watched with impatience, and feeds everybody in the end."""

BEGINNINGS = (
    "In {>month} {hero.his} {>trait} {+family} gave {hero.him} {+look.a} {+seed} seed.{>garden}",
    "One {>weather} {>day} {hero} traded {+color.a} {+thing} for {+look.a} {+seed} seed.{>garden}",
    "Behind the house was a [bare|muddy|stony|sunny|weedy] patch, and {hero} had {+look.a} {+seed} seed.{>garden}",
)

RULES = {
    "garden": (
        "\n\n{>garden_plant} {>garden_wait} {>garden_doubt} {>garden_advice}"
        "\n\n{>garden_sprout} {>garden_harvest} {>garden_ending}\n",
    ),
    "garden_plant": (
        "{hero} dug a hole [by the fence|near the well|under a window|beside the path] with {+color2.a} {>tool}.",
        "That {>part}, {hero.he} [dug|raked|weeded|hoed] with {+look2.a} {>tool} and planted it next to {>a_find}.",
        "{hero.He} planted it [deep|with care|with a song|gently] and watered it from {+color2.a} {>can}.",
        "Every {>weekday} {hero} brought it water in {+look2.a} {+color2} {>can}.",
    ),
    "garden_wait": (
        "For {>number} [days|weeks] nothing grew.",
        "It was {>weather} on {>weekday} and {>weather} on {>weekday}. Still nothing grew.",
        "{hero} waited {>number} [days|weeks], {pastime} to pass the time.",
        "But all that came up was {>a_find}.",
    ),
    "garden_doubt": (
        '"It will never grow," {>said} {hero.his} {>trait} {+relation} {+friend} {>softly}.',
        "{hero.His} {>trait} {+relation} {+friend} {>smiled} and went off to play {+game}.",
        "{hero} felt {>sad} and told {hero.his} {>trait} {+relation} {+friend}, who brought {>a_meal}.",
        '"Perhaps it is asleep," {>said} {hero.his} {>trait} {+relation} {+friend} {>softly}.',
    ),
    "garden_advice": (
        '"Give it {>number} days," {>said} {>odd_a} {+gardener} named {+helper} {>softly}.',
        '"You must [sing|talk|whisper|read] to it every {>weekday}," {>said} {>odd_a} {+gardener} named {+helper}.',
        '"It needs [sun|rain|soft earth|company]," {>said} {>odd_a} {+gardener} named {+helper} {>softly}.',
        "But {>odd_a} {+gardener} named {+helper} {>smiled} and kept watch until {>weekday}.",
    ),
    "garden_sprout": (
        (
            "Then, one {>weather} {>day}, "
            "a [green shoot|tiny leaf|pale stem|small bud] [peeked out|pushed up|uncurled|appeared]."
        ),
        'On the {>ordinal} {>part}, {hero} {>cried}, "It is growing!"',
        "{helper} was right. By {>weekday} there were {>number} leaves.",
        "And on {>a_weather} {>day} {hero} found {>number} leaves, with {>a_color} {>creature} on top.",
    ),
    "garden_harvest": (
        "By {>month} it was as tall as [a door|a fence|a giant|the roof|the well|{hero}|a horse|the shed].",
        "In {>month} {hero} made {+dish} and {+dish2}.",
        "Soon there was enough for {+dish} and {>number} [jars|baskets|sacks|pots].",
        "{hero} filled {>number} [baskets|bowls|sacks|pots] and cooked {+dish}.",
    ),
    "garden_ending": (
        "{hero} shared it all with {friend} and {helper}, and they felt {>happy}.",
        "Good things take time.",
        '"You were right to wait," {>said} {friend} {>softly}.',
        "And {hero} kept {>number} seeds in {>a_color} {>can}.",
        '"Thank you, {helper}," {>said} {hero} {>softly}, and felt {>happy}.',
        "At the fair {hero} won {+color3.a} [ribbon|cup|medal|rosette], and {friend} {>smiled}.",
        "Then {>feast}.",
        "Now {friend} wants to grow {+seed2.a}, too.",
    ),
}
