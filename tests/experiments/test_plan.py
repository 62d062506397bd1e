"""Plans. Oracles: variants, steps and recipes derived by hand."""

import pytest
import yaml

from homespun.errors import ConfigError, MissingFileError
from homespun.experiments.plan import Plan, load_plan
from homespun.experiments.runs import PlanReader, flops_per_step
from homespun.recipe.load import load_recipe
from refusals import refuses
from tiny import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "tiny")


def write_plan(path, **changes):
    values = {
        "name": "rates", "question": "Which?", "base": "tiny.yaml", "budget": {"tokens": 640}, "seeds": [3, 4],
        "variant_seeds": 1, "baseline": "base",
        "variants": [{"name": "base"}, {"name": "wide", "set": {"model.d_ff": 64}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(values | changes, sort_keys=False))
    return path


def read(world, **changes):
    plan = load_plan(write_plan(world.with_name("plan.yaml"), **changes))
    return PlanReader(plan=plan, folder=world.parent)


def test_grids_are_written_out_and_the_baseline_comes_first(world):
    """Oracle: the combinations by hand."""
    grid = {"optim.lr": [0.1, 1e-3], "model.norm": ["none", "pre"]}
    variants = [{"name": "x", "grid": grid}, {"name": "base"}]
    names = [variant.name for variant in read(world, variants=variants).plan.expand()]
    assert names == ["base", "x lr=0.1 norm=none", "x lr=0.1 norm=pre", "x lr=0.001 norm=none", "x lr=0.001 norm=pre"]


def test_a_run_for_every_variant_and_seed(world):
    """Oracle: by hand: 640 tokens are 10 steps of 4 x 16; the baseline has both seeds, the other the first."""
    runs = read(world).list_runs(read(world).plan.expand(), {})
    assert [(run.variant, run.seed, run.config.training.num_steps) for run in runs] == [
        ("base", 3, 10), ("base", 4, 10), ("wide", 3, 10),
    ]  # fmt: skip
    assert [run.config.model.d_ff for run in runs] == [32, 32, 64]
    assert {run.config.seed for run in runs} == {3, 4}


@pytest.mark.parametrize(("budget", "num_steps"), [({"steps": 7}, 7), ({"tokens": 65}, 1), ({"minutes": 0.5}, 15)])
def test_budgets_become_steps(world, budget, num_steps):
    """Oracle: by hand; at 2 processor seconds a step half a minute is 15 steps."""
    reader = read(world, budget=budget, variants=[{"name": "base"}])
    assert reader.num_steps(reader.plan.expand()[0], {"base": 2.0}) == num_steps


def test_a_budget_of_flops_counts_the_update(world):
    """Oracle: the exact count of one step, times a number of steps."""
    config = load_recipe(world)
    reader = read(world, budget={"flops": 6.4 * flops_per_step(config)}, variants=[{"name": "base"}])
    assert reader.num_steps(reader.plan.expand()[0], {}) == 6


def test_a_grid_may_vary_the_budget(world):
    """Oracle: by hand: 64 tokens a step."""
    variants = [{"name": "base"}, {"name": "x", "grid": {"model.d_ff": [8, 16], "budget.tokens": [128, 192]}}]
    reader = read(world, variants=variants)
    assert {
        run.variant: (run.config.model.d_ff, run.config.training.num_steps)
        for run in reader.list_runs(reader.plan.expand(), {})
    } == {
        "base": (32, 10), "x d_ff=8 tokens=128": (8, 2), "x d_ff=8 tokens=192": (8, 3), "x d_ff=16 tokens=128": (16, 2),
        "x d_ff=16 tokens=192": (16, 3),
    }  # fmt: skip
    with refuses(ConfigError, "budget.money"):
        read(world, variants=[{"name": "base"}, {"name": "x", "grid": {"budget.money": [1]}}])


def test_a_variant_may_have_a_recipe_of_its_own(world):
    """Oracle: the other file's value."""
    other = yaml.safe_load(world.read_text())
    other["model"]["d_ff"] = 24
    world.with_name("other.yaml").write_text(yaml.safe_dump(other))
    reader = read(world, variants=[{"name": "base"}, {"name": "other", "base": "other.yaml"}])
    runs = reader.list_runs(reader.plan.expand(), {})
    assert {run.variant: run.config.model.d_ff for run in runs} == {"base": 32, "other": 24}


def test_equal_time_gives_a_slower_variant_fewer_steps(world):
    """Oracle: by hand: at twice the time a step it takes 5 steps of 10; within 3 % it shares the runs."""
    reader = read(world, equal=["tokens", "time"])
    runs = reader.list_runs(reader.plan.expand(), {"base": 1.0, "wide": 2.0})
    assert [(run.variant, run.budget, run.config.training.num_steps) for run in runs if run.seed == 3] == [
        ("base", "tokens", 10), ("base", "time", 10), ("wide", "tokens", 10), ("wide", "time", 5),
    ]  # fmt: skip
    runs = reader.list_runs(reader.plan.expand(), {"base": 1.0, "wide": 1.02})
    assert len({run.key for run in runs if run.variant == "wide"}) == 1


def test_steps_of_a_schedule_follow_the_length(world):
    """Oracle: by hand: a fifth of 10 steps."""
    reader = read(world, fractions_of_run={"optim.schedule.warmup_steps": 0.2})
    runs = reader.list_runs(reader.plan.expand(), {})
    assert {run.config.optim.schedule.warmup_steps for run in runs} == {2}


def test_a_key_names_what_is_trained(world):
    """Oracle: identity: another seed or width is another key; another way to execute, name or default is not."""
    reader = read(world)
    one, two, wide = (run.key for run in reader.list_runs(reader.plan.expand(), {}))
    assert len({one, two, wide}) == 3
    flags = ["--execution.micro_batch=1", "--logging.log_every=7", "--optim.eps=1e-8"]
    other = PlanReader(plan=reader.plan, folder=world.parent, flags=flags)
    assert [run.key for run in other.list_runs(other.plan.expand(), {})] == [one, two, wide]
    changed = PlanReader(plan=reader.plan, folder=world.parent, flags=["--optim.eps=1e-7"])
    assert one not in [run.key for run in changed.list_runs(changed.plan.expand(), {})]


def test_scales_change_keys_of_the_plan(world):
    """Oracle: by hand."""
    path = write_plan(
        world.with_name("scaled.yaml"), scales={"smoke": {"budget": {"steps": 2}, "seeds": [0]}, "cpu": {}}
    )
    assert (load_plan(path, "smoke").budget.steps, load_plan(path, "smoke").seeds) == (2, [0])
    assert load_plan(path, "cpu").budget.tokens == 640


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"budgett": 1}, ["budgett", "budget"]),
        ({"budget": {}}, ["budget", "tokens, steps, flops, minutes"]),
        ({"budget": {"tokens": 1, "steps": 1}}, ["budget", "exactly one"]),
        ({"budget": {"steps": 0}}, ["budget.steps"]),
        ({"baseline": "none"}, ["baseline", "'none'", "base, wide"]),
        ({"seeds": [1, 1]}, ["seeds", "[1, 1]"]),
        ({"variant_seeds": 3}, ["variant_seeds = 3", "2 seeds"]),
        ({"equal": ["money"]}, ["equal", "money"]),
        ({"measure": "beauty"}, ["measure", "beauty"]),
        ({"variants": [{"name": "base"}, {"name": "base"}]}, ["'base'", "two"]),
        ({"halving": {"fractions": [1, 0.5]}}, ["halving.fractions"]),
        ({"halving": {"fractions": [1], "keep": 1}}, ["halving.keep"]),
        ({"fractions_of_run": {"optim.schedule.warmup_steps": 2}}, ["fractions_of_run.optim.schedule.warmup_steps"]),
    ],
)
def test_a_plan_that_cannot_work_is_refused(world, changes, facts):
    """Oracle: the value, the key and the file stand in the message."""
    path = write_plan(world.with_name("bad.yaml"), **changes)
    with pytest.raises(ConfigError) as caught:
        load_plan(path)
    for fact in [str(path), *facts]:
        assert fact in str(caught.value)


def test_a_variant_that_cannot_work_is_named(world):
    """Oracle: the message names variant and key."""
    reader = read(world, variants=[{"name": "base"}, {"name": "odd", "set": {"model.num_heads": 3}}])
    with refuses(ConfigError, "'odd'", "model.num_heads = 3"):
        reader.list_runs(reader.plan.expand(), {})


def test_a_scale_must_be_named_where_there_are_scales(world):
    """Oracle: the scales stand in the message."""
    path = write_plan(world.with_name("scaled.yaml"), scales={"smoke": {}, "cpu": {}})
    for scale in (None, "gpu"):
        with refuses(ConfigError, str(path), "smoke, cpu"):
            load_plan(path, scale)
    with refuses(MissingFileError, "nowhere.yaml"):
        load_plan(world.with_name("nowhere.yaml"))


def test_every_plan_of_the_project_has_recipes_that_load():
    """Oracle: the recipes' own checks, at every scale."""
    from pathlib import Path

    folder = Path(__file__).parents[2] / "recipes" / "experiments"
    plans = sorted(folder.glob("*.yaml"))
    assert plans
    for path in plans:
        for scale in yaml.safe_load(path.read_text())["scales"]:
            plan = load_plan(path, scale)
            assert isinstance(plan, Plan)
            reader = PlanReader(plan=plan, folder=folder)
            for variant in plan.expand():
                assert reader.recipe(variant, 100, 0).training.num_steps == 100
