"""The storybook's sentences: what all plots share, and one module a plot.

A plot module has BEGINNINGS, the sentences that open it, each of which goes on with the rule of the plot's name; and
RULES, its wordings. The beginnings of all plots are the wordings of one rule, `plot`, so a plot is chosen by its first
words.
"""

from homespun.storybook.plots import garden, lost, newcomer, quarrel, shared, wish, words

PLOTS = (lost, wish, quarrel, garden, newcomer)

RULES: dict[str, tuple[str, ...]] = {
    **words.RULES,
    **shared.RULES,
    "plot": tuple(beginning for plot in PLOTS for beginning in plot.BEGINNINGS),
}
for _plot in PLOTS:
    RULES |= _plot.RULES
