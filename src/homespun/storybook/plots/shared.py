"""Openings, outings, meals and sights: the sentences that several plots share."""

RULES = {
    "story": ("{>opening} {>likes} {>plot}",),
    "opening": (
        "Once upon a time there was {>a_trait} {+kind} named {+hero}, who lived in {>home}.",
        "In {>home} lived {>a_trait} {+kind} named {+hero}.",
        "There once was {>a_trait} {+kind} named {+hero}.",
        "Long ago, {>a_trait} {+kind} named {+hero} lived in {>home}.",
        "This is the story of {>a_trait} {+kind} named {+hero}.",
        "Far away, in {>home}, there lived {>a_trait} {+kind} named {+hero}.",
        "Not long ago, {>a_trait} {+kind} named {+hero} moved into {>home}.",
        "Let me tell you about {>a_trait} {+kind} named {+hero}.",
    ),
    "home": ("{>home_a} {>house} {>whereabouts}",),
    "likes": (
        "{hero.He} loved {+pastime} and {+pastime2}.",
        "{hero} was good at {+pastime} but not at {+pastime2}.",
        "Most of all {hero.he} liked {+pastime} on {>weather} {>day}s.",
        "When {hero} was not {+pastime}, {hero.he} was {+pastime2}.",
        "Nothing made {hero.him} happier than {+pastime} in {>month}.",
        "Every {>day} {hero.he} was {+pastime} or {+pastime2}.",
    ),
    # Going somewhere: the sentence is left open for what comes of it.
    "outing": (
        "One {>weather} {>day} in {>month}, {hero} {>went} to the {>mood} {+place}",
        "On {>a_weather} {>day}, {hero} {>went} to the {>mood} {+place}",
        "It was {>a_weather} {>day} in {>month} when {hero} {>went} to the {>mood} {+place}",
        "After [breakfast|lunch|school|a nap|supper|church|a bath|a storm], {hero} {>went} to the {>mood} {+place}",
        "The next {>day} was {>weather}, so {hero} {>went} to the {>mood} {+place}",
    ),
    "sight": ("{>a_color} {>creature} {>doing}",),
    "a_meal": ("{>some} {>tasty} {>food}",),
    "a_find": ("{>worn_a} {>scrap}",),
    "feast": (
        "they [had|ate|shared|enjoyed] {>tasty} {+treat} and {>tasty} {+treat2}",
        "there was {>a_meal} [for everyone|with cream|by the fire|under the stars], and {>tasty} {>food} too",
        "everyone got {>a_meal}, with {>tasty} {>food} [for later|on the side|to follow|as a treat]",
    ),
}
