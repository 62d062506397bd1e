"""A fear is shown to a friend, who has a trick for it; and one day it is gone."""

BEGINNINGS = (
    "But {hero} was afraid of {+fear}.{>fear}",
    "There was one thing {hero.he} never told anyone: {hero.he} was afraid of {+fear}.{>fear}",
    "Only one thing ever made {hero} tremble: {+fear}.{>fear}",
)

RULES = {
    "fear": (
        "\n\n{>one_day} {+comes}. {>fear_shakes} {>fear_friend} {>fear_tip}"
        "\n\n{>fear_tries} {>fear_later} {>fear_ending}\n",
    ),
    "fear_shakes": (
        "{hero} hid [under|behind] [the table|a blanket|the bed|a coat|a chair|the curtain|the stairs|a tub].",
        "{hero.His} knees shook like [jelly|leaves|reeds|spoons|a wet puppy|loose shutters|an old cart|noodles].",
        '"Oh no," {>wept} {hero}, as pale as [milk|snow|paper|the moon|flour|chalk|cheese|a sheet].',
        "Even {>sight} looked braver than {hero}.",
        (
            "All {hero.he} wanted was to [hide|run home|cry|scream|faint|look away|call for help|fly off] "
            "like {>a_color} {>creature}."
        ),
    ),
    "fear_friend": (
        "{hero.His} {>trait} {+relation} {+friend} {>went} over with {>a_meal}.",
        '"What is wrong?" {>asked} {hero.his} {>trait} {+relation} {+friend}, who had come to play {+game}.',
        "Luckily {hero.his} {>trait} {+relation} {+friend} was there with {+look.a} {+color} {+thing}.",
        '"I used to be afraid of {+fear2}," {>said} {hero.his} {>trait} {+relation} {+friend} {>softly}.',
    ),
    "fear_tip": (
        '"My {>trait} {+family} always told me to {+tip}," {>said} {friend} {>softly}.',
        '"First {+tip}, and then {+tip2}," {>said} {friend} {>softly}.',
        '"Eat {>a_meal} and {+tip}," {>said} {friend} {>softly}.',
        '"Every {>part} you must {+tip}," {>said} {friend} {>softly}.',
        '"You only need to {+tip}," {>said} {friend} {>softly}.',
    ),
    "fear_tries": (
        (
            "{hero} tried it {>number} times, "
            "and the fear grew as small as [a pea|a mouse|a crumb|a flea|a button|a seed]."
        ),
        "On the {>ordinal} try {hero} {>smiled} and felt {>happy}.",
        '"It works!" {>said} {hero} {>softly} after {>number} [minutes|breaths|tries|hours].',
        "At first {hero} {>wept}, but on {>weekday} {hero.he} {>smiled}.",
        "They tried it together, and then ate {>a_meal}.",
    ),
    "fear_later": (
        "{>number_cap} [days|weeks|months|years] later, on {>a_weather} {>part}, {hero} {+feat} and felt {>happy}.",
    ),
    "fear_ending": (
        '"I did it!" {>said} {hero} {>softly}, and {friend} {>smiled}.',
        "Being brave does not mean never being afraid.",
        "To celebrate, {>feast}.",
        '"You are as brave as {>sight}," {>said} {friend} {>softly}.',
        '"Thank you, {friend}," {>said} {hero} {>softly}. "What {relation.a} you are!"',
        "A fear that is shared is only half as big.",
        "{friend} gave {hero.him} {+color2.a} [ribbon|star|medal|badge] and {>a_meal}.",
        "And {fear}? It only made {hero.him} feel {>happy} now.",
    ),
}
