"""How a run's parameters are updated; torch-free, so that the command line can read it without loading torch."""

from dataclasses import dataclass, field
from math import isinf
from typing import Literal

from homespun.config import check_at_least, check_choice, check_fraction, check_positive
from homespun.errors import ConfigError

OptimizerName = Literal["adamw", "sgd"]
ScheduleName = Literal["cosine", "linear", "wsd", "constant"]


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate moves over a run, between 0, `optim.lr` and a fraction of it."""

    name: ScheduleName = "cosine"
    """The way down after warm-up: half a cosine, a straight line, level and then a line ("wsd"), or none."""

    warmup_steps: int = 0
    """Steps in which the rate rises in a line from 0 to `optim.lr`, whatever the schedule."""

    final_lr_fraction: float = 0.1
    """What the rate ends at, as a fraction of `optim.lr`; unused by "constant"."""

    decay_steps: int = 0
    """Steps of the line down at the end of "wsd"; unused by the others."""

    def __post_init__(self) -> None:
        check_choice("optim.schedule.name", self.name, ("cosine", "linear", "wsd", "constant"))
        check_at_least("optim.schedule.warmup_steps", self.warmup_steps, 0)
        check_fraction("optim.schedule.final_lr_fraction", self.final_lr_fraction)
        check_at_least("optim.schedule.decay_steps", self.decay_steps, 0)
        if self.name == "wsd" and self.decay_steps == 0:
            raise ConfigError(
                "optim.schedule.name = 'wsd' needs optim.schedule.decay_steps of at least 1 "
                "(a fifth of the run is usual); without a decay, choose 'constant'"
            )


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """The optimizer, its learning rate and what keeps its steps in bounds."""

    name: OptimizerName = "adamw"
    """AdamW, or plain gradient descent whose rate falls as lr / sqrt(step + 1)."""

    lr: float = 1e-3
    """The highest learning rate of the schedule."""

    betas: tuple[float, float] = (0.9, 0.95)
    """How much of its running means of gradients and squared gradients AdamW keeps at each step; unused by "sgd"."""

    eps: float = 1e-8
    """Added to the root of AdamW's second moment; unused by "sgd"."""

    weight_decay: float = 0.1
    """Fraction of a parameter that a step takes away, times the learning rate; unused by "sgd"."""

    decay_all: bool = False
    """Whether the gains of norms decay too, rather than matrices and the input table alone."""

    max_grad_norm: float = 1.0
    """Gradients whose global l2 norm is greater are scaled down to it; `.inf` never does."""

    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """How the learning rate moves over the run."""

    def __post_init__(self) -> None:
        check_choice("optim.name", self.name, ("adamw", "sgd"))
        check_positive("optim.lr", self.lr)
        for i, beta in enumerate(self.betas):
            check_fraction(f"optim.betas[{i}]", beta, below_one=True)
        check_positive("optim.eps", self.eps)
        check_at_least("optim.weight_decay", self.weight_decay, 0)
        if not isinf(self.weight_decay * self.lr) and self.weight_decay * self.lr > 1:
            raise ConfigError(
                f"optim.weight_decay = {self.weight_decay} times optim.lr = {self.lr} is more than 1: "
                "a step would turn every weight's sign; lower one of them"
            )
        if not isinf(self.max_grad_norm):
            check_positive("optim.max_grad_norm", self.max_grad_norm)
