import pytest

from homespun.errors import ConfigError, MissingFileError
from homespun.recipe.config import RunConfig
from homespun.recipe.load import differing_keys, load_recipe, recipe_keys, save_recipe

RECIPE = """
name: tiny
source: {corpus: files, train: train.txt, valid: valid.txt}
tokenizer: {vocab_size: 300}
data: {tokenizer: data/tokenizer, train: data/train, valid: data/valid}
model: {vocab_size: 300, context_length: 16, d_model: 16, num_layers: 1, num_heads: 2, d_ff: 32}
optim: {lr: 3e-3}
training: {num_steps: 20, batch_size: 4}
execution: {micro_batch: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def test_reads_values_and_leaves_defaults(recipe):
    config = load_recipe(recipe)
    assert config.optim.lr == 0.003
    assert config.execution.micro_batch == 2
    assert config.execution.device == "auto"
    assert config.tokens_per_step == 64


def test_overrides_come_last_in_both_spellings(recipe):
    config = load_recipe(recipe, ["--optim.lr", "1e-4", "--training.num_steps=7", "--optim.betas", "[0.5, 0.6]"])
    assert (config.optim.lr, config.training.num_steps, config.optim.betas) == (1e-4, 7, (0.5, 0.6))


def test_saved_recipe_reads_back_equal_and_is_deterministic(recipe, tmp_path):
    config = load_recipe(recipe, ["--optim.lr", "1e-5", "--logging.sampling.prompts", '["A: b", "\\u00e9"]'])
    text = save_recipe(config)
    saved = tmp_path / "saved.yaml"
    saved.write_text(text)
    assert load_recipe(saved) == config
    assert save_recipe(load_recipe(saved)) == text


def test_json_recipe_equals_yaml(recipe, tmp_path):
    import json

    import yaml

    config = load_recipe(recipe)
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(yaml.safe_load(save_recipe(config)), indent=1))
    assert load_recipe(path) == config


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["--optim.lrr", "1"], r"--optim\.lrr.*nearest is optim\.lr"),
        (["--lr", "1"], r"--lr.*nearest is optim\.lr"),
        (["--training.num_step=3"], r"nearest is training\.num_steps"),
        (["--optim.lr", "fast"], r"optim\.lr: expected a number; got fast"),
        (["--training.batch_size", "5"], r"training\.batch_size = 5 is not a multiple of execution\.micro_batch = 2"),
        (["--execution.device", "tpu"], r"execution\.device: expected one of .*cpu.*; got tpu"),
        (["--model.d_model", "17"], r"model\.d_model = 17"),
        (["--tokenizer.vocab_size", "301"], r"model\.vocab_size = 300 is less than tokenizer\.vocab_size = 301"),
        (["--name", "a/b"], r"name = 'a/b'"),
        (["--seed", "-1"], r"seed = -1"),
    ],
)
def test_bad_values_are_told_with_their_key(recipe, overrides, told):
    with pytest.raises(ConfigError, match=told):
        load_recipe(recipe, overrides)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lr: 3e-3", "lrate: 3e-3", r"tiny\.yaml: no recipe has the key optim\.lrate"),
        ("num_steps: 20", "nun_steps: 20", r"nearest is training\.num_steps"),
        ("name: tiny", "", "name"),
        ("name: tiny", "[", "not a recipe in YAML or JSON"),
        (RECIPE, "just words", "expected keys"),
        ("num_steps: 20,", "num_steps: 20, num_steps: 30,", "the key num_steps stands twice"),
        ("num_layers: 1, ", "", "num_layers"),
        ("lr: 3e-3", "lr:", r"tiny\.yaml: optim\.lr has no value"),
        ("lr: 3e-3", "schedule: {final_lr_fraction: null}", r"optim\.schedule\.final_lr_fraction has no value"),
        ("{lr: 3e-3}", "3", r"optim = 3, but it is a section"),
        ("{lr: 3e-3}", r'"\0"', r"optim = .*, but it is a section"),
        ("lr: 3e-3", f"lr: {10**400}", r"optim\.lr is a number of 401 digits"),
    ],
)
def test_bad_files_are_told_with_their_key(recipe, old, new, told):
    recipe.write_text(RECIPE.replace(old, new))
    with pytest.raises(ConfigError, match=told):
        load_recipe(recipe)


def test_missing_recipe(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.yaml: no such file"):
        load_recipe(tmp_path / "none.yaml")


def test_binary_file_is_no_recipe(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 6"):
        load_recipe(path)


def test_differing_keys_are_those_changed(recipe):
    config = load_recipe(recipe)
    other = load_recipe(recipe, ["--optim.lr", "1.0", "--name", "other"])
    assert differing_keys(config, config) == {}
    assert differing_keys(config, other) == {"name": ("tiny", "other"), "optim.lr": (0.003, 1.0)}


def test_every_field_has_a_docstring_for_help():
    """Oracle: the help text itself; a field without docstring shows only its type."""
    import io

    from homespun.recipe.load import recipe_parser

    out = io.StringIO()
    recipe_parser("homespun train RECIPE").print_help(out)
    text = " ".join(out.getvalue().split())
    for key in recipe_keys(RunConfig):
        assert f"--{key} " in text or any(other.startswith(key + ".") for other in recipe_keys(RunConfig)), key
    assert "Optimizer steps between lines of metrics.jsonl." in text
    assert "Width of the residual stream" in text
