"""Run directories in, tables, plots and one self-contained HTML file out; knows the records and no trainer."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
