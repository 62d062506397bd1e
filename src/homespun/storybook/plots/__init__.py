"""The storybook's sentences: those that all plots share, and one module per plot.

A plot module has BEGINNINGS, its opening sentences, each of which ends by expanding the rule named after the plot, and
RULES, its wordings. The beginnings of all plots are the wordings of one rule, `plot`: the first words choose the plot.
"""

from homespun.storybook.plots import garden, lost, newcomer, quarrel, shared, wish, words

PLOTS = (lost, wish, quarrel, garden, newcomer)

RULES: dict[str, tuple[str, ...]] = {
    **words.RULES,
    **shared.RULES,
    "plot": tuple(beginning for plot in PLOTS for beginning in plot.BEGINNINGS),
    **{name: wordings for plot in PLOTS for name, wordings in plot.RULES.items()},
}
