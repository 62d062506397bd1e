from homespun.experiments.result import ExperimentResult as ExperimentResult
from homespun.experiments.result import PublishedFigure as PublishedFigure
from homespun.experiments.scaling import ScalingFit as ScalingFit
from homespun.experiments.scaling import ScalingLaw as ScalingLaw
from homespun.experiments.scaling import ScalingRun as ScalingRun
from homespun.experiments.scaling import fit_scaling_law as fit_scaling_law
from homespun.experiments.sgd_toy import run_sgd_toy as run_sgd_toy
