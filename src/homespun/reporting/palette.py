"""Every color of the page, for light and dark, and which of them a curve has.

The colors of curves are Okabe and Ito's eight, which people with any kind of color vision tell apart, shifted in
lightness so that each has a contrast of at least 3 with its background (WCAG 2.2, 1.4.11); text has at least 4.5.
Tested in tests/reporting/test_palette.py. Source: Okabe & Ito 2008, https://jfly.uni-koeln.de/color/.
"""

NUM_COLORS = 8
NUM_DASHES = 4

# Name: color in light, color in dark.
COLORS = {
    "bg": ("#f6f4ef", "#121417"),
    "panel": ("#ffffff", "#1a1d22"),
    "sunk": ("#f0ede6", "#22262c"),
    "ink": ("#1b1a17", "#edebe6"),
    "soft": ("#5c574e", "#a8a59d"),
    "grid": ("#e9e5dc", "#2a2e35"),
    "rule": ("#d9d4c8", "#363b44"),
    "edge": ("#8b8578", "#767c88"),
    "accent": ("#24539b", "#8db8ff"),
    "entropy": ("#b23a08", "#ff9a66"),
    "good": ("#00694d", "#3fd0a2"),
    "bad": ("#b23a08", "#ff9a66"),
    "c0": ("#0067a8", "#58aef2"),
    "c1": ("#008060", "#34c79a"),
    "c2": ("#a8448a", "#e88fc9"),
    "c3": ("#a06400", "#f0a83a"),
    "c4": ("#2488c0", "#a5d8ff"),
    "c5": ("#787200", "#e6dd55"),
    "c6": ("#5a5853", "#b9b7b1"),
    "c7": ("#6a4cc0", "#b8a2ff"),
}


def color_and_dash(index: int) -> tuple[int, int]:
    """Return the color and the dash of the curve number `index`; the dash tells curves of one color apart."""
    return index % NUM_COLORS, index // NUM_COLORS % NUM_DASHES


def theme_css() -> str:
    """Return the style rules that define the colors: the system's choice unless the page's switch overrides it."""
    light, dark = (
        "".join(f"--{name}:{pair[which]};" for name, pair in COLORS.items()) + f"color-scheme:{scheme}"
        for which, scheme in enumerate(("light", "dark"))
    )
    curves = "".join(f".c{index}{{--line:var(--c{index})}}" for index in range(NUM_COLORS))
    return (
        f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n{curves}\n"
    )
