"""How long a step of each variant takes, measured before the first run, for budgets of time."""

import time

from homespun.data.sampler import WindowSampler
from homespun.experiments.runs import PlanReader
from homespun.recipe.config import RunConfig
from homespun.recipe.data import open_data
from homespun.runs.device import compute_threads, resolve
from homespun.seeding import derive_seed
from homespun.training.engine import Engine

_ROUNDS = 3
_SECONDS = 2.0
"""Of each measurement; the least of the rounds counts, as other processes only ever add to it."""


def measure_rates(reader: PlanReader) -> dict[str, float]:
    """Return the processor seconds a step of every variant of a plan, on one thread."""
    rates: dict[str, float] = {}
    for _ in range(_ROUNDS):
        # In turn, so that a slower minute of the machine meets all variants.
        for variant in reader.plan.expand():
            config, _, _ = resolve(reader.recipe(variant, 10**9, 0))
            seconds = _measure(config)
            rates[variant.name] = min(seconds, rates.get(variant.name, seconds))
    return rates


def _measure(config: RunConfig) -> float:
    data = open_data(config)
    sampler = WindowSampler(data.train, config.model.context_length, derive_seed(config.seed, "data"))
    execution = config.execution
    with compute_threads(execution.device, execution.precision, 1, compiles=execution.compile):
        engine = Engine.build(config)
        batch_size, step = config.training.batch_size, 0
        engine.step(step, *sampler.batch(0, batch_size))  # the first allocates
        began = time.process_time()
        while time.process_time() - began < _SECONDS:
            step += 1
            engine.step(step, *sampler.batch(step * batch_size, batch_size))
        return (time.process_time() - began) / step
