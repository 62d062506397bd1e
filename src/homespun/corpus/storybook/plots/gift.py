"""A present is made by hand; it goes wrong, is mended, and gives joy."""

BEGINNINGS = (
    "Soon, on {>weekday}, it would be the birthday of {hero.his} {>trait} {+family}.{>gift}",
    "But {hero.his} {>trait} {+family} had been [ill|sad|tired|lonely|grumpy|quiet|away|busy] since {>weekday}.{>gift}",
    "What {hero} wanted above all was to make {hero.his} {>trait} {+family} feel {>happy}.{>gift}",
)

RULES = {
    "gift": (
        "\n\n{>gift_plan} {>gift_stuff} {>gift_work} {>gift_mishap}"
        "\n\n{>gift_help} {>gift_remedy}"
        "\n\n{>gift_giving} {>gift_joy} {>gift_ending}\n",
    ),
    "gift_plan": (
        '"I will make {+color.a} {+gift}," {>said} {hero} {>softly}.',
        "One {>weather} {>day}, {hero} began to make {+color.a} {+gift}.",
        '"What would {family.he} like?" {>asked} {hero}. "{+color.A} {+gift}!"',
        "{hero} saw {>sight} and had an idea: {+color.a} {+gift}!",
    ),
    "gift_stuff": (
        "Under {>a_find} {hero.he} found {+material}.",
        "{hero.He} traded {+look.a} {+color2} {+thing} for {+material}.",
        "For this {hero.he} needed {+material} and {>a_find}.",
        "{hero.His} {>trait} {+relation} {+friend} brought {+material} and {>a_meal}.",
    ),
    "gift_work": (
        "{hero.He} worked for {>number} [days|hours|evenings|weeks], {>happy} and {>weary}.",
        (
            "All {>part} {hero} worked [behind|beside] "
            "[the table|the stove|the stairs|the bed|the piano|a screen|the wardrobe|a curtain]."
        ),
        '"Nobody may look until {>weekday}!" {>said} {hero} {>softly}.',
        "{hero.He} counted to {>number}, {>smiled} and began.",
        "It was slow work, and {hero.he} ate {>a_meal} to stay awake.",
    ),
    "weary": ("weary", "sleepy", "dusty", "hungry", "sticky", "silent", "busy", "out of breath"),
    "gift_mishap": (
        "But on {>weekday} {+mishap}.",
        '"Oh dear!" {>wept} {hero} on {>weekday}, for {+mishap}.',
        "Suddenly {hero} {>wept}, for {+mishap}.",
        "But while {hero} was looking at {>sight}, {+mishap}.",
    ),
    "gift_help": (
        "{hero} {>wept} and felt {>sad}.",
        '"It is ruined!" {>wailed} {hero} {>sadly}.',
        "Nothing had ever made {hero} feel so {>sad}.",
        '"Every mistake is a chance," {>said} {>odd_a} [baker|postman|teacher|shoemaker|miller|doctor|tailor|cook].',
        '"Try again," {>said} {>odd_a} [baker|postman|teacher|shoemaker|miller|doctor|tailor|cook] {>softly}.',
    ),
    "gift_remedy": (
        "Then {hero.he} {+remedy}, and felt {>happy}.",
        "But after {>tasty} {>food} and a [nap|walk|song|good cry], {hero.he} {+remedy}.",
        "In the end {hero.he} ate {>a_meal} and {+remedy}.",
        "So {hero.he} {+remedy}. It took {>number} [tries|hours|evenings|days].",
    ),
    "gift_giving": (
        "On {>weekday}, {hero} wrapped the {gift} in {+color3} {>wrapping} and {>went} to {hero.his} {family}.",
        "At last {hero} {>gave} it to {hero.his} {family}, with {>sight} on the card.",
        "At supper {hero} {>went} in with the {gift} on {+look2.a} {+color3} [tray|cushion|plate|sled].",
        '"Surprise!" {>cried} {hero}, and held up the {gift}, in {+look2.a} {+color3} [ribbon|box|bow|sack].',
    ),
    "gift_joy": (
        '"What {+look3.a} {gift}!" {family.he} {>said} {>softly}.',
        "At this {hero.his} {family} {>smiled} and hugged {hero.him} {>number} times.",
        '"Did you make it yourself?" {family.he} {>asked} {>softly}. {hero} {>smiled}.',
        (
            "{hero.His} {family} felt so {>happy} that {family.he} "
            "[sang|danced|cried a little|jumped up|did a cartwheel|ran outside|forgot supper|hugged everyone]."
        ),
    ),
    "gift_ending": (
        "Then {>feast}.",
        "A gift made by hand comes from the heart.",
        "And {family.he} never guessed that {mishap}.",
        (
            "To this day the {gift} has its place beside "
            "[the bed|the stove|the window|the clock|the door|the mirror|the lamp|the piano]."
        ),
        "And {hero} felt {>happy}.",
        '"Next {>month} I will make {+gift2.a}," {>said} {hero} {>softly}.',
        "That {>part} {hero} felt {>happy}, and {hero.his} {family} felt {>happy}.",
    ),
}
