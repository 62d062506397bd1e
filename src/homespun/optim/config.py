"""Settings of the optimizers and the `optim` section of a recipe; torch-free, so that the CLI reads it without torch.

To add an optimizer: its settings here, in `Optimizer` and `OptimConfig`; its update rule in `homespun/optim/KIND.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod
from typing import ClassVar, Literal, get_args

from homespun.config import check_at_least, check_fraction, check_positive
from homespun.errors import ConfigError
from homespun.optim.schedule import Cosine, Schedule

_MAX_LR = 1e6
"""No run survives a larger one; 1 / (1 - beta) of it still has to fit float32."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What the settings of all optimizers have."""

    STATE_PER_PARAMETER: ClassVar[int]
    """Numbers of optimizer state for each trained parameter, in at least float32."""

    def check(self, section: str) -> None:
        """Refuse values that cannot work; `section` is what the field names begin with, such as "optim."."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGDConfig(_Settings):
    """Gradient descent with learning rate lr / sqrt(step + 1), without momentum or weight decay."""

    STATE_PER_PARAMETER = 0

    kind: Literal["sgd"] = "sgd"

    lr: float = 1e-3
    """Peak learning rate."""

    def check(self, section: str) -> None:
        _check_lr(section, self.lr)


@dataclass(frozen=True, kw_only=True)
class AdamWConfig(_Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017)."""

    STATE_PER_PARAMETER = 2  # the moments

    kind: Literal["adamw"] = "adamw"
    """Which optimizer."""

    lr: float = 1e-3
    """Peak learning rate."""

    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of the running averages of the gradient and of its square."""

    eps: float = 1e-8
    """Added to the denominator for numerical stability."""

    weight_decay: float = 0.1
    """Decoupled weight decay; multiplied by the learning rate."""

    decay_all: bool = False
    """Whether vectors, such as the gains of norms, decay too, rather than matrices and the embedding table alone."""

    def check(self, section: str) -> None:
        _check_lr(section, self.lr)
        for i, beta in enumerate(self.betas):
            check_fraction(f"{section}betas[{i}]", beta, below_one=True)
        check_positive(f"{section}eps", self.eps)
        if self.eps > 1:
            raise ConfigError(f"{section}eps = {self.eps} must be at most 1")
        _check_decay(section, self.lr, self.weight_decay)


@dataclass(frozen=True, kw_only=True)
class MuonConfig(_Settings):
    """Momentum, orthogonalized by Newton-Schulz iterations (Jordan et al. 2024); for matrices only.

    Steps are scaled to the root mean square of AdamW's (Liu et al. 2025), so its learning rates and weight decay fit.
    """

    STATE_PER_PARAMETER = 1  # the momentum

    kind: Literal["muon"] = "muon"

    lr: float = 1e-3
    """Peak learning rate."""

    momentum: float = 0.95
    """Decay rate of the running average of the gradient."""

    newton_schulz_steps: int = 5
    """Iterations of the orthogonalization; 5 bring all but the smallest singular values near 1."""

    weight_decay: float = 0.1
    """Decoupled weight decay; multiplied by the learning rate."""

    def check(self, section: str) -> None:
        _check_lr(section, self.lr)
        check_fraction(f"{section}momentum", self.momentum, below_one=True)
        check_at_least(f"{section}newton_schulz_steps", self.newton_schulz_steps, 1)
        _check_decay(section, self.lr, self.weight_decay)


Optimizer = AdamWConfig | MuonConfig | SGDConfig


@dataclass(frozen=True, kw_only=True)
class GroupRule:
    """Settings of the parameters whose names match `pattern`."""

    pattern: str
    """Regular expression, searched in names such as `layers.0.attn.q_proj.weight`."""

    optimizer: Optimizer
    """How these parameters are updated, with their own peak learning rate."""


@dataclass(frozen=True, kw_only=True)
class _Section(_Settings):
    """What the `optim` section has beside the settings of the main optimizer."""

    groups: list[GroupRule] = field(default_factory=list)
    """Parameters with settings of their own; the first rule that matches applies, the main optimizer to the rest."""

    max_grad_norm: float = 1.0
    """Gradients whose global l2 norm is greater are scaled down to it; `.inf` disables clipping."""

    schedule: Schedule = field(default_factory=Cosine)
    """The learning rate over the run: one factor for all peak learning rates."""

    def __post_init__(self) -> None:
        self.check("optim.")
        for i, rule in enumerate(self.groups):
            try:
                re.compile(rule.pattern)
            except re.error as error:
                raise ConfigError(
                    f"optim.groups[{i}].pattern = {rule.pattern!r} is not a regular expression: {error}"
                ) from error
            rule.optimizer.check(f"optim.groups[{i}].optimizer.")
        if self.max_grad_norm != inf:
            check_positive("optim.max_grad_norm", self.max_grad_norm)

    def rule_of(self, name: str) -> int:
        """Return the index of the first rule that matches a parameter's name; -1 for the main optimizer."""
        return next((i for i, rule in enumerate(self.groups) if re.search(rule.pattern, name)), -1)

    def state_size(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """Return the numbers of optimizer state kept for parameters of such names and shapes."""
        # The main optimizer stands last: `rule_of` returns -1 for it.
        sizes = [*(rule.optimizer.STATE_PER_PARAMETER for rule in self.groups), self.STATE_PER_PARAMETER]
        return sum(prod(shape) * sizes[self.rule_of(name)] for name, shape in shapes.items())


@dataclass(frozen=True, kw_only=True)
class AdamWOptim(_Section, AdamWConfig):
    """AdamW for every parameter that no group names."""


@dataclass(frozen=True, kw_only=True)
class MuonOptim(_Section, MuonConfig):
    """Muon for every parameter that no group names; by default AdamW for all but the matrices inside the blocks."""

    groups: list[GroupRule] = field(
        default_factory=lambda: [GroupRule(pattern="embed|lm_head|norm|ln", optimizer=AdamWConfig())]
    )
    """Parameters with settings of their own; those that are no matrices need another optimizer than Muon."""


@dataclass(frozen=True, kw_only=True)
class SGDOptim(_Section, SGDConfig):
    """Gradient descent for every parameter that no group names."""


OptimConfig = AdamWOptim | MuonOptim | SGDOptim
KINDS = tuple(optimizer.kind for optimizer in get_args(Optimizer))


def _check_lr(section: str, lr: float) -> None:
    check_positive(f"{section}lr", lr)
    if lr > _MAX_LR:
        raise ConfigError(f"{section}lr = {lr} must be at most {_MAX_LR:,.0f}; 1e-4 to 1e-2 is usual")


def _check_decay(section: str, lr: float, weight_decay: float) -> None:
    check_at_least(f"{section}weight_decay", weight_decay, 0)
    if weight_decay * lr > 1:
        raise ConfigError(
            f"{section}weight_decay = {weight_decay} times {section}lr = {lr} is more than 1: "
            "a step would flip every weight's sign; lower one of them"
        )
