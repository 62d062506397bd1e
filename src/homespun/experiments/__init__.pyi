from homespun.experiments.result import ExperimentResult as ExperimentResult
from homespun.experiments.result import PublishedFigure as PublishedFigure
from homespun.experiments.sgd_toy import run_sgd_toy as run_sgd_toy
