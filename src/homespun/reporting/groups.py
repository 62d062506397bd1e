"""Runs that differ in nothing but their seed: they share one curve, its band and its color."""

import re
from collections.abc import Sequence

from homespun.reporting.run import ReportedRun
from homespun.reporting.settings import write_value

# Keys that do not change what is learned: names, places, what is written when, and how it is computed.
_INDIFFERENT = re.compile(r"name|seed|source\.(train|valid)|data\..*|logging\..*|execution\.(threads|micro_batch)")

Group = tuple[str, list[ReportedRun]]


def group_by_seed(runs: Sequence[ReportedRun]) -> list[Group]:
    """Return (name, runs) in the order of the first run of each group; a run without like is a group of its own.

    Runs are alike if their recipes are but for names, places and seeds, and no two have the same seed.
    """
    alike: dict[tuple[object, ...], list[ReportedRun]] = {}
    for number, run in enumerate(runs):
        key = [(name, write_value(value)) for name, value in run.settings.items() if not _INDIFFERENT.fullmatch(name)]
        # A run whose recipe cannot be read is like no other.
        alike.setdefault(tuple(sorted(key)) if run.settings else (number,), []).append(run)
    groups: list[Group] = []
    for members in alike.values():
        seeds = {write_value(run.settings.get("seed")) for run in members}
        if len(members) > 1 and len(seeds) == len(members):
            groups.append((_common_name(members), members))
        else:
            groups += [(run.name, [run]) for run in members]
    position = {id(run): number for number, run in enumerate(runs)}
    return sorted(groups, key=lambda group: position[id(group[1][0])])


def _common_name(runs: Sequence[ReportedRun]) -> str:
    names = [run.name for run in runs]
    length = next((at for at, letters in enumerate(zip(*names, strict=False)) if len({*letters}) > 1), None)
    prefix = names[0][: min(map(len, names)) if length is None else length]
    name = re.sub(r"[-_ .]*(seed|s)?[-_ .]*$", "", prefix)
    return name or f"{runs[0].name} and {len(runs) - 1} more"
