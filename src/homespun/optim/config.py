"""Settings and costs of the optimizers, and the `optim` section of a recipe; torch-free, as the command line needs it.

An optimizer is its entry here (settings, cost and section, named in `Optimizer` and `OptimConfig`) and its update rule
in `homespun/optim/KIND.py`. `homespun.accounting` only sums the costs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod
from typing import ClassVar, Literal, NamedTuple, cast, get_args

from homespun.config import check_at_least, check_choice, check_fraction, check_positive
from homespun.errors import ConfigError
from homespun.optim.schedule import Cosine, Schedule

MuonScale = Literal["adamw", "jordan"]
AverageKind = Literal["none", "ema", "uniform"]

_MAX_LR = 1e6
"""No run survives a larger one; 1 / (1 - beta) of it still has to fit float32."""

_CAUTIOUS_DECAY = 4
"""FLOPs: product with the direction, its comparison, what decays, and the difference."""


class UpdateCost(NamedTuple):
    """What an optimizer costs for one parameter, or for all."""

    state_size: int
    """Numbers of state it keeps, in at least float32; counts of steps, one a parameter, are left out."""

    flops: int
    """FLOPs of an update; factors that all numbers of a parameter share are computed once and not counted."""


class _Settings:
    """What the settings of all optimizers have."""

    matrices_only: ClassVar[bool] = False
    """Whether it updates matrices only, so that other parameters need a group with another optimizer."""

    lr: float
    weight_decay: float = 0.0

    def check(self, section: str) -> None:
        """Refuse values that cannot work; `section` is what the field names begin with, such as "optim."."""
        # 0 is allowed: a schedule sets it in the first step of a warm-up.
        check_at_least(f"{section}lr", self.lr, 0)
        if self.lr > _MAX_LR:
            raise ConfigError(f"{section}lr = {self.lr} must be at most {_MAX_LR:,.0f}; 1e-4 to 1e-2 is usual")
        check_at_least(f"{section}weight_decay", self.weight_decay, 0)
        if self.weight_decay * self.lr > 1:
            raise ConfigError(
                f"{section}weight_decay = {self.weight_decay} times {section}lr = {self.lr} is more than 1: "
                "a step would flip every weight's sign; lower one of them"
            )

    def cost(self, shape: tuple[int, ...]) -> UpdateCost:
        """Return what the optimizer costs for a parameter of that shape."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGDConfig(_Settings):
    """Gradient descent with learning rate lr / sqrt(step + 1), without momentum or weight decay."""

    kind: Literal["sgd"] = "sgd"

    lr: float = 1e-3
    """Peak learning rate."""

    def cost(self, shape: tuple[int, ...]) -> UpdateCost:
        return UpdateCost(state_size=0, flops=2 * prod(shape))


@dataclass(frozen=True, kw_only=True)
class AdamWConfig(_Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017)."""

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

    cautious_decay: bool = False
    """Whether only weights decay that the step moves towards zero as well."""

    decay_follows_schedule: bool = False
    """Whether the schedule scales the decay itself too, which then falls as the square of the learning rate."""

    decay_all: bool = False
    """Whether vectors, such as the gains of norms, decay too, rather than matrices and the embedding table alone."""

    def check(self, section: str) -> None:
        super().check(section)
        for i, beta in enumerate(self.betas):
            check_fraction(f"{section}betas[{i}]", beta, below_one=True)
        check_positive(f"{section}eps", self.eps)
        if self.eps > 1:
            raise ConfigError(f"{section}eps = {self.eps} must be at most 1")

    def cost(self, shape: tuple[int, ...]) -> UpdateCost:
        """Count two moments; FLOPs for decay, first moment, second moment, denominator and step, in this order."""
        decay = _CAUTIOUS_DECAY if self.cautious_decay else 1
        return UpdateCost(state_size=2 * prod(shape), flops=(decay + 3 + 4 + 3 + 3) * prod(shape))


@dataclass(frozen=True, kw_only=True)
class MuonConfig(_Settings):
    """Momentum, orthogonalized by Newton-Schulz iterations (Jordan et al. 2024); for matrices only.

    Steps are scaled to the root mean square of AdamW's (Liu et al. 2025), so its learning rates and weight decay fit,
    unless `scale` says otherwise.
    """

    matrices_only = True

    kind: Literal["muon"] = "muon"

    lr: float = 1e-3
    """Peak learning rate."""

    momentum: float = 0.95
    """Decay rate of the running average of the gradient."""

    newton_schulz_steps: int = 5
    """Iterations of the orthogonalization; 5 bring all but the smallest singular values near 1."""

    polar_express: bool = False
    """Whether each iteration has coefficients of its own, which converge, rather than Jordan's (Amsel et al. 2025)."""

    normalize_rows: bool = False
    """Whether rows of the step are divided by the root of their running mean square (NorMuon, Li et al. 2025)."""

    row_beta: float = 0.95
    """Decay rate of that running mean."""

    scale: MuonScale = "adamw"
    """Factor on the orthogonal step: 0.2 sqrt(max(rows, columns)), or Jordan's sqrt(max(1, rows / columns))."""

    weight_decay: float = 0.1
    """Decoupled weight decay; multiplied by the learning rate."""

    cautious_decay: bool = False
    """Whether only weights decay that the step moves towards zero as well."""

    decay_follows_schedule: bool = False
    """Whether the schedule scales the decay itself too, which then falls as the square of the learning rate."""

    def check(self, section: str) -> None:
        super().check(section)
        check_fraction(f"{section}momentum", self.momentum, below_one=True)
        check_at_least(f"{section}newton_schulz_steps", self.newton_schulz_steps, 1)
        check_fraction(f"{section}row_beta", self.row_beta, below_one=True)
        check_choice(f"{section}scale", self.scale, get_args(MuonScale))

    def cost(self, shape: tuple[int, ...]) -> UpdateCost:
        """Count one momentum; FLOPs for momentum, Nesterov, norm, its quotient, decay, step, and the products.

        An iteration multiplies X by X^T, the Gram matrix by itself, and the result by X, where X is the matrix or
        its transpose, with the longer side last. Additions to these products are of a lower order and not counted.
        Normalized rows keep a number each, and take a mean square and a factor.
        """
        rows, columns = sorted(shape)
        products = 2 * rows * columns * rows + 2 * rows**3 + 2 * rows * rows * columns
        decay = _CAUTIOUS_DECAY if self.cautious_decay else 1
        flops = (3 + 3 + 2 + 1 + decay + 2) * rows * columns + self.newton_schulz_steps * products
        if not self.normalize_rows:
            return UpdateCost(state_size=rows * columns, flops=flops)
        return UpdateCost(state_size=rows * columns + shape[0], flops=flops + 3 * rows * columns)


Optimizer = AdamWConfig | MuonConfig | SGDConfig


@dataclass(frozen=True, kw_only=True)
class GroupRule:
    """Settings of the parameters whose names match `pattern`."""

    pattern: str
    """Regular expression, searched in names such as `layers.0.attn.q_proj.weight`."""

    optimizer: Optimizer
    """How these parameters are updated, with their own peak learning rate."""


@dataclass(frozen=True, kw_only=True)
class WeightAverage:
    """The mean of late weights, which a run ends with in place of the weights of its last step."""

    kind: AverageKind = "none"
    """No average, an exponential one of the weights after each step, or one in which all steps count alike."""

    fraction: float = 0.2
    """The last part of the run whose weights are averaged, as a fraction of its steps; greater than 0."""

    decay: float = 0.99
    """What the average keeps of itself in a step, with "ema"; 1 / (1 - decay) steps count."""

    def __post_init__(self) -> None:
        check_choice("optim.average.kind", self.kind, get_args(AverageKind))
        check_positive("optim.average.fraction", self.fraction)
        check_fraction("optim.average.fraction", self.fraction)
        check_fraction("optim.average.decay", self.decay, below_one=True)

    def first_step(self, num_steps: int) -> int:
        """Return the first of a run's steps, from 0, after which weights are averaged: of one step at least."""
        return num_steps - max(1, round(self.fraction * num_steps))


@dataclass(frozen=True, kw_only=True)
class _Section(_Settings):
    """What the `optim` section has in addition to the settings of the main optimizer."""

    groups: list[GroupRule] = field(default_factory=list)
    """Parameters with settings of their own; the first rule that matches applies, the main optimizer to the rest."""

    max_grad_norm: float = 1.0
    """Gradients whose global l2 norm is greater are scaled down to it; `.inf` disables clipping."""

    schedule: Schedule = field(default_factory=Cosine)
    """The learning rate over the run: one factor for all peak learning rates."""

    average: WeightAverage = field(default_factory=WeightAverage)
    """The mean of late weights that the run ends with."""

    def __post_init__(self) -> None:
        optimizers = {f"optim.groups[{i}].optimizer.": rule.optimizer for i, rule in enumerate(self.groups)}
        for section, optimizer in {"optim.": self, **optimizers}.items():
            check_positive(f"{section}lr", optimizer.lr)
            optimizer.check(section)
        for i, rule in enumerate(self.groups):
            try:
                re.compile(rule.pattern)
            except re.error as error:
                raise ConfigError(
                    f"optim.groups[{i}].pattern = {rule.pattern!r} is not a regular expression: {error}"
                ) from error
        if self.max_grad_norm != inf:
            check_positive("optim.max_grad_norm", self.max_grad_norm)

    def assign(self, shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[Optimizer, list[str]]]:
        """Return the optimizers with the names of their parameters, the main one first.

        Args:
            shapes: Every trained parameter's shape by its name.

        Raises:
            ConfigError: a rule matches no parameter, or an optimizer for matrices only gets another parameter.
        """
        main = cast("Optimizer", self)  # as every section is
        assigned = [("optim", main, list[str]())]
        assigned += [(f"optim.groups[{i}]", rule.optimizer, list[str]()) for i, rule in enumerate(self.groups)]
        for name in shapes:
            matching = (i for i, rule in enumerate(self.groups, 1) if re.search(rule.pattern, name))
            assigned[next(matching, 0)][2].append(name)
        for rule, (where, _, names) in zip(self.groups, assigned[1:], strict=True):
            if not names:
                raise ConfigError(
                    f"{where}.pattern = {rule.pattern!r} is the first to match none of the {len(shapes)} parameters, "
                    f"such as {', '.join(list(shapes)[:3])}; correct or remove it"
                )
        for where, optimizer, names in assigned:
            other = next((name for name in names if len(shapes[name]) != 2), None)
            if optimizer.matrices_only and other is not None:
                raise ConfigError(
                    f"{where}: {other} has {len(shapes[other])} axes, and {optimizer.kind} updates matrices only; "
                    "give it another optimizer by a rule in optim.groups"
                )
        return [(optimizer, names) for _, optimizer, names in assigned]

    def update_cost(self, shapes: Mapping[str, tuple[int, ...]]) -> UpdateCost:
        """Return what all updates of a step cost, for parameters as `assign` takes them."""
        costs = [optimizer.cost(shapes[name]) for optimizer, names in self.assign(shapes) for name in names]
        total = UpdateCost(*map(sum, zip(*costs, strict=True)))
        if self.average.kind == "none":
            return total
        # One more number for each, and its two products and their sum.
        size = sum(map(prod, shapes.values()))
        return UpdateCost(state_size=total.state_size + size, flops=total.flops + 3 * size)

    def num_extendable_steps(self, num_steps: int) -> int:
        """Return how many first steps of a run of `num_steps` are the same in every longer run."""
        limit = self.schedule.num_extendable_steps(num_steps)
        return limit if self.average.kind == "none" else min(limit, self.average.first_step(num_steps))


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
SETTINGS = {settings.kind: settings for settings in get_args(Optimizer)}
"""The settings of each kind of optimizer."""
