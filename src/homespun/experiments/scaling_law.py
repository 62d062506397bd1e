"""The scaling law against the truth: the irreducible loss that runs imply next to the exact entropy of their text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from homespun.errors import ConfigError, DataError
from homespun.experiments.isoflop import IsoflopFit, fit_isoflop, isoflop_runs
from homespun.experiments.result import ExperimentResult, PublishedFigure, Scale, measure_time
from homespun.experiments.scaling import ScalingFit, ScalingLaw, ScalingRun, fit_scaling_law
from homespun.files import check_is_file
from homespun.model.config import ModelConfig
from homespun.model.costs import list_layer_costs
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory
from homespun.sweeps import SweepDirectory
from homespun.typed_json import build_from_json, parse_json

MEASURE = "bits_per_byte"

_PLANTED = ScalingLaw(e=0.26, a=3.0, b=40.0, alpha=0.34, beta=0.42)
_NUM_BOOTSTRAP: dict[Scale, int] = {"smoke": 24, "cpu": 400, "gpu": 1000}
_NUM_SIMULATIONS: dict[Scale, int] = {"smoke": 2, "cpu": 20, "gpu": 200}
_SIMULATED_BOOTSTRAP: dict[Scale, int] = {"smoke": 8, "cpu": 60, "gpu": 200}
_NUM_BUDGETS = 6


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """One run of a sweep of sizes and token counts."""

    variant: str
    seed: int
    num_parameters: int
    """Those that multiply: without tables that are only looked up."""
    num_parameters_with_tables: int
    tokens: int
    loss: float
    """Of the whole validation set, in bits per byte."""

    def counted(self, *, with_tables: bool) -> ScalingRun:
        size = self.num_parameters_with_tables if with_tables else self.num_parameters
        return ScalingRun(num_parameters=float(size), tokens=float(self.tokens), loss=self.loss)


def count_table_parameters(config: ModelConfig) -> int:
    """Count the parameters of tables that are only looked up; a table that is also the head multiplies."""
    layers = list_layer_costs(config, config.context_length)
    return sum(
        len(layer.modules) * sum(prod(shape) for shape in layer.shapes.values())
        for layer in layers
        if layer.component == "embedding" and not layer.multiplies and not config.tie_embeddings
    )


def read_sweep_runs(root: Path) -> tuple[list[MeasuredRun], float | None]:
    """Return the finished runs of a sweep, and the exact bits per byte of their validation text where it is known.

    Raises:
        MissingFileError: `root` is no sweep directory, or a run is gone.
        RunError: a file is damaged.
    """
    directory = SweepDirectory(root)
    runs, exact = [], None
    for run in directory.read().runs:
        if run.status != "finished":
            continue
        files = RunDirectory(directory.run_at(run))
        files.check_exists()
        entropy = files.read_entropy()
        exact = entropy.bits_per_byte if entropy is not None else exact
        config = load_recipe(files.recipe).model
        runs.append(
            MeasuredRun(
                variant=run.variant,
                seed=run.seed,
                num_parameters=run.num_parameters - count_table_parameters(config),
                num_parameters_with_tables=run.num_parameters,
                tokens=run.tokens,
                loss=run.measures[MEASURE],
            )
        )
    return runs, exact


def read_listed_runs(path: Path) -> tuple[list[MeasuredRun], float | None]:
    """Return the runs that a result of this experiment lists, and the exact entropy, to fit them again.

    Raises:
        DataError: the file is no such result.
    """
    check_is_file(path, "a result of this experiment", "name its scaling-law-fit.json")
    try:
        figures = parse_json(path.read_bytes())["figures"]
        return build_from_json(list[MeasuredRun], figures["runs"]), build_from_json(float | None, figures["exact"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: lists no runs ({error}); name the scaling-law-fit.json of a sweep") from error


def simulate_runs(law: ScalingLaw = _PLANTED, noise: float = 0.004, seed: int = 0) -> list[MeasuredRun]:
    """Return 36 runs of a planted law, with errors of log L of the standard deviation `noise`."""
    rng = np.random.default_rng(seed)
    return [
        MeasuredRun(
            variant="simulated",
            seed=seed,
            num_parameters=round(size),
            num_parameters_with_tables=round(size + 200 * size**0.5),
            tokens=round(tokens),
            loss=float(law.loss(round(size), round(tokens)) * np.exp(noise * rng.standard_normal())),
        )
        for size in np.geomspace(1e5, 5e6, 6)
        for tokens in np.geomspace(2.5e5, 8e6, 6)
    ]


def planted_entropy() -> float:
    """The irreducible loss of the law that `simulate_runs` plants."""
    return _PLANTED.e


def run_scaling_law(
    scale: Scale, runs: Sequence[MeasuredRun], exact: float | None, *, simulated: bool = False
) -> ExperimentResult:
    """Fit the law to runs in every way that is compared.

    Args:
        scale: How many bootstrap samples and simulations.
        runs: Of a sweep, or of `simulate_runs`.
        exact: The true irreducible loss, in bits per byte; None: not known.
        simulated: Whether the runs are simulated.

    Raises:
        ConfigError: the runs are too few, or of too few sizes or token counts.
    """
    num_bootstrap = _NUM_BOOTSTRAP[scale]
    with measure_time() as elapsed:
        plain = [run.counted(with_tables=False) for run in runs]
        fits = {
            "without_tables": fit_scaling_law(plain, num_bootstrap=num_bootstrap),
            "with_tables": fit_scaling_law(
                [run.counted(with_tables=True) for run in runs], num_bootstrap=num_bootstrap
            ),
        }
        # The law is one of long runs: that of short ones may bend.
        counts = sorted({run.tokens for run in runs})
        for left_out, name in ((1, "the_smallest_token_count"), (2, "the_two_smallest_token_counts")):
            kept = [run for run in plain if run.tokens > counts[left_out - 1]]
            if len(counts) - left_out >= 3 and len(kept) >= 8:
                fits[f"without_{name}"] = fit_scaling_law(kept, num_bootstrap=num_bootstrap)
        law = fits["without_tables"].law
        second = _fit_second(plain)
        bias = _measure_bias(law, plain)
        coverage = _measure_coverage(scale, law, fits["without_tables"].rms_error, plain)
    figures = {
        "exact": exact,
        "unit": "bits per byte",
        "runs": [asdict(run) for run in runs],
        "third_approach": {name: asdict(fit) | {"size_exponent": fit.law.size_exponent} for name, fit in fits.items()},
        "second_approach": None if second is None else asdict(second),
        "second_approach_without_noise": bias,
        "simulated_coverage": coverage,
        "errors_by_tokens": _errors_by_tokens(law, plain),
    }
    return ExperimentResult(
        name="scaling-law-fit",
        question="How do parameters and tokens lower the loss, does the fitted irreducible loss agree with the exact "
        "entropy of the text, and what does the second approach make of the same law?",
        scale=scale,
        settings={
            "runs": "simulated from a planted law" if simulated else "finished runs of a sweep",
            "num_bootstrap": num_bootstrap,
            "huber_delta": 1e-3,
            "num_simulations": _NUM_SIMULATIONS[scale],
        },
        figures=figures,
        published=_compare(fits["without_tables"]),
        conclusions=_conclude(fits, exact, second, bias, coverage),
        elapsed=elapsed,
    )


def equal_budgets(runs: Sequence[ScalingRun], num_budgets: int = _NUM_BUDGETS) -> list[ScalingRun]:
    """Return, for budgets between those of the runs, what each size would have reached there.

    The loss of a size at another token count is read off its runs, linearly in log L over log D; nothing is
    extrapolated. So the second approach can be tried on runs that were not planned for it.
    """
    of_size: dict[float, list[ScalingRun]] = defaultdict(list)
    for run in runs:
        of_size[run.num_parameters].append(run)
    flops = np.log([6 * run.num_parameters * run.tokens for run in runs])
    found = []
    low, high = np.quantile(flops, 0.1), np.quantile(flops, 0.9)
    for budget in np.exp(np.linspace(low, high, num_budgets)):
        for size, same in of_size.items():
            tokens = np.array(sorted({run.tokens for run in same}))
            wanted = budget / (6 * size)
            if not tokens[0] <= wanted <= tokens[-1]:
                continue
            logs = [np.mean([np.log(run.loss) for run in same if run.tokens == count]) for count in tokens]
            loss = float(np.exp(np.interp(np.log(wanted), np.log(tokens), logs)))
            found.append(ScalingRun(num_parameters=size, tokens=float(wanted), loss=loss))
    return found


def _fit_second(runs: Sequence[ScalingRun]) -> IsoflopFit | None:
    try:
        return fit_isoflop(equal_budgets(runs))
    except ConfigError:
        return None


def _measure_bias(law: ScalingLaw, runs: Sequence[ScalingRun]) -> list[dict[str, Any]]:
    """Both approaches on runs that obey the fitted law exactly, at the budgets of the real ones."""
    if min(law.a, law.b) <= 0:
        return []
    flops = [6 * run.num_parameters * run.tokens for run in runs]
    budgets = [float(value) for value in np.geomspace(min(flops), max(flops), _NUM_BUDGETS)]
    ahead = 100 * max(flops)
    rows = []
    for width in (4.0, 16.0):
        for drift in (0.0, 1.0):
            exact = isoflop_runs(law, budgets, width=width, num_sizes=7, drift=drift)
            try:
                second = fit_isoflop(exact)
            except ConfigError:
                continue
            third = fit_scaling_law(exact, num_bootstrap=0).law
            rows.append(
                {
                    "width": width,
                    "drift": drift,
                    "true_exponent": law.size_exponent,
                    "second_exponent": second.size_exponent,
                    "third_exponent": third.size_exponent,
                    "second_size_at_100_times_the_flops": second.best_size(ahead) / float(law.best_size(ahead)),
                    "third_size_at_100_times_the_flops": float(third.best_size(ahead) / law.best_size(ahead)),
                }
            )
    return rows


def _measure_coverage(scale: Scale, law: ScalingLaw, noise: float, runs: Sequence[ScalingRun]) -> dict[str, Any]:
    """How often the interval of E holds the truth in simulated sweeps of the same plan and the noise that was found."""
    rng = np.random.default_rng(1)
    num_simulations, covered, found = _NUM_SIMULATIONS[scale], 0, []
    for number in range(num_simulations):
        simulated = [
            ScalingRun(
                num_parameters=run.num_parameters,
                tokens=run.tokens,
                loss=float(law.loss(run.num_parameters, run.tokens) * np.exp(noise * rng.standard_normal())),
            )
            for run in runs
        ]
        fit = fit_scaling_law(simulated, num_bootstrap=_SIMULATED_BOOTSTRAP[scale], seed=number)
        low, high = fit.intervals["e"]
        covered += low <= law.e <= high
        found.append(fit.law.e)
    return {
        "noise": noise,
        "simulations": num_simulations,
        "covered": covered,
        "mean_error_of_e": float(np.mean(found) - law.e),
        "standard_deviation_of_e": float(np.std(found)),
    }


def _errors_by_tokens(law: ScalingLaw, runs: Sequence[ScalingRun]) -> list[dict[str, float]]:
    """Mean error of log L by token count: a law that bends shows it here."""
    errors: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        errors[run.tokens].append(float(np.log(run.loss) - np.log(law.loss(run.num_parameters, run.tokens))))
    return [{"tokens": tokens, "mean_error": sum(of) / len(of)} for tokens, of in sorted(errors.items())]


def _compare(fit: ScalingFit) -> list[PublishedFigure]:
    note = "another text, nats per token and far larger models; the true entropy of that text is not known"
    published = {"alpha": 0.34, "beta": 0.28, "size_exponent": 0.46}
    ours = {"alpha": fit.law.alpha, "beta": fit.law.beta, "size_exponent": fit.law.size_exponent}
    return [
        PublishedFigure(
            what=name, source="Hoffmann et al. 2022, table 2, eq. 10", published=value, ours=ours[name], note=note
        )
        for name, value in published.items()
    ]


def _conclude(
    fits: dict[str, ScalingFit],
    exact: float | None,
    second: IsoflopFit | None,
    bias: Sequence[dict[str, Any]],
    coverage: dict[str, Any],
) -> list[str]:
    sentences = []
    for name, fit in fits.items():
        law, (low, high) = fit.law, fit.intervals["e"]
        sentence = (
            f"{name.replace('_', ' ').capitalize()}: L = {law.e:.4f} + {law.a:.3g} N^-{law.alpha:.3f} + {law.b:.3g} "
            f"D^-{law.beta:.3f}, errors of {fit.rms_error:.2%}; E from {low:.4f} to {high:.4f} bits per byte."
        )
        if exact is not None:
            inside = "inside" if low <= exact <= high else "outside"
            sentence += f" The exact entropy, {exact:.4f}, is {abs(law.e - exact):.4f} away, {inside} the interval."
        if fit.at_bound:
            sentence += " An exponent is at the end of its range: the runs do not determine it."
        sentences.append(sentence)
    if second is not None:
        third = fits["without_tables"]
        low, high = third.intervals["size_exponent"]
        sentences.append(
            f"The best size grows as FLOPs^{third.law.size_exponent:.3f} by the third approach ({low:.3f} to "
            f"{high:.3f}) and as FLOPs^{second.size_exponent:.3f} by parabolas through {len(second.budgets)} budgets."
        )
    if bias:
        worst = max(bias, key=lambda row: abs(row["second_exponent"] - row["true_exponent"]))
        sentences.append(
            f"On runs that obey the fitted law without noise, parabolas find an exponent of "
            f"{worst['second_exponent']:.3f} in place of {worst['true_exponent']:.3f} where the sizes drift, and a "
            f"size {max(row['second_size_at_100_times_the_flops'] for row in bias):.2f} times the best, or "
            f"{min(row['second_size_at_100_times_the_flops'] for row in bias):.2f}, at 100 times the FLOPs; the third "
            "approach finds the law."
        )
    sentences.append(
        f"In {coverage['simulations']} simulated sweeps of the same plan and noise the interval of E held the truth "
        f"{coverage['covered']} times; E was off by {coverage['standard_deviation_of_e']:.4f} (standard deviation)."
    )
    return sentences
