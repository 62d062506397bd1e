"""The SGD toy: a quadratic bowl, ten steps, four learning rates. Its loss after any step is known in closed form."""

from math import prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from homespun.experiments.plots import COLORS, INK, MARKERS, save_plot
from homespun.experiments.result import ExperimentResult, PublishedFigure, Scale, measure_time
from homespun.optim.sgd import SGD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEARNING_RATES = (1.0, 10.0, 100.0, 1000.0)
NUM_STEPS = 10
_SIDE = 10
_PUBLISHED = {1.0: 23.0, 100.0: 1e-23, 1000.0: 1e18}
"""Printed as the tenth loss, which is computed before the tenth step: that after nine."""


def train_toy(lr: float, seed: int, *, num_steps: int = NUM_STEPS) -> list[float]:
    """Return the loss before the first step and after each of `num_steps` steps.

    weights = 5 randn(10, 10); loss = mean(weights^2); SGD with lr / sqrt(t + 1).
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.nn.Parameter(5 * torch.randn(_SIDE, _SIDE, generator=generator))
    optimizer = SGD([weights], lr=lr)
    losses = []
    for _ in range(num_steps):
        loss = (weights**2).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [*losses, float((weights.detach() ** 2).mean())]


def loss_ratio(lr: float, num_steps: int = NUM_STEPS) -> float:
    """Return loss after `num_steps` steps over the first loss, in exact arithmetic.

    The gradient of the mean of n squares is 2 w / n, so step t multiplies every weight by 1 - 2 lr / (n sqrt(t + 1)).
    """
    return prod(1 - 2 * lr / (_SIDE**2 * sqrt(step + 1)) for step in range(num_steps)) ** 2


def run_sgd_toy(scale: Scale) -> ExperimentResult:
    """Train at every rate with several seeds."""
    seeds = [*range(1 if scale == "smoke" else 5)]
    with measure_time() as elapsed:
        losses = {lr: [train_toy(lr, seed) for seed in seeds] for lr in LEARNING_RATES}
    rates = []
    for lr, of_seeds in losses.items():
        final, first = [trace[-1] for trace in of_seeds], [trace[0] for trace in of_seeds]
        rates.append(
            {
                "lr": lr,
                "initial_loss": sum(first) / len(first),
                "final_loss": sum(final) / len(final),
                "final_losses": final,
                "tenth_loss": sum(trace[NUM_STEPS - 1] for trace in of_seeds) / len(of_seeds),
                "exact_ratio": loss_ratio(lr),
                "measured_ratio": sum(last / before for last, before in zip(final, first, strict=True)) / len(final),
                "verdict": "diverges" if loss_ratio(lr) > 1 else "decays",
                "losses": of_seeds,
            }
        )
    final = {rate["lr"]: rate["final_loss"] for rate in rates}
    tenth = {rate["lr"]: rate["tenth_loss"] for rate in rates}
    return ExperimentResult(
        name="sgd-toy",
        question="Loss of a quadratic bowl after ten steps of SGD at learning rates 1, 10, 100 and 1,000: faster, "
        "slower or diverging?",
        scale=scale,
        settings={"learning_rates": [*LEARNING_RATES], "num_steps": NUM_STEPS, "seeds": seeds, "dtype": "float32"},
        figures={"rates": rates},
        published=[
            PublishedFigure(
                what=f"tenth loss at rate {lr:g} (after nine steps: the loop prints it before the step)",
                source="published runs of the course handout's toy",
                published=value,
                ours=tenth[lr],
                note="the same computation; the seed of the weights is not published, and the first loss is 25 +- 3.5"
                if lr != 100.0
                else "rounding error alone: in exact arithmetic the loss is 0, so only that it is tiny compares",
            )
            for lr, value in _PUBLISHED.items()
        ],
        conclusions=_conclude(final),
        elapsed=elapsed,
    )


def _conclude(final: dict[float, float]) -> list[str]:
    return [
        f"At rate 1 the loss falls slowly, to {loss_ratio(1.0):.2f} of the first ({final[1.0]:.1f}); at 10 to "
        f"{loss_ratio(10.0):.3f} of it ({final[10.0]:.2f}).",
        "At rate 100 the fourth step multiplies every weight by 1 - 2 * 100 / (100 * sqrt(4)) = 0: what is left, "
        f"{final[100.0]:.0e}, is rounding error in float32.",
        f"At rate 1,000 every step multiplies the weights by a number below -1, so the loss grows to "
        f"{final[1000.0]:.0e}: it diverges.",
        "A step multiplies the weights by 1 - 2 lr / (100 sqrt(t + 1)). Below rate 100 every step shrinks them; above, "
        "the first steps enlarge them, and at 1,000 all ten do.",
    ]


def plot_sgd_toy(result: ExperimentResult, out: Path) -> list[str]:
    """Write the loss over steps at each rate; return the names of the plots."""

    def draw(panel: "Axes") -> None:
        for rate, color, marker in zip(result.figures["rates"], COLORS, MARKERS, strict=False):
            trace = rate["losses"][0]
            panel.plot(range(len(trace)), trace, color=color, marker=marker, markersize=4, label=f"rate {rate['lr']:g}")
        panel.axhline(result.figures["rates"][0]["losses"][0][0], color=INK, linewidth=0.8, linestyle=":")
        panel.set_yscale("log")
        panel.set_xlabel("steps")
        panel.set_ylabel("loss")
        panel.legend()

    return [save_plot(out / "sgd-toy.svg", draw)]
