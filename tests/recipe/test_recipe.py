import pytest

from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.optim import AdamWConfig, Constant, GroupRule, MuonOptim
from homespun.recipe.keys import field_docs, recipe_help, recipe_keys
from homespun.recipe.load import differing_keys, load_recipe, save_recipe
from refusals import refuses

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
    ("overrides", "facts"),
    [
        (["--optim.lrr", "1"], ["--optim.lrr", "nearest is optim.lr"]),
        (["--lr", "1"], ["--lr", "nearest is optim.lr"]),
        (["--training.num_step=3"], ["nearest is training.num_steps"]),
        (["--training.micro_batch=3"], ["nearest is execution.micro_batch"]),
        (["--execution.threads=0"], ["execution.threads = 0", "at least 1"]),
        (["--execution.threads=100000"], ["execution.threads = 100,000", "at most 1,024"]),
        (["--training.sampling.every=3"], ["nearest is logging.sampling.every"]),
        (["--optim.lr", "fast"], ["optim.lr: expected a number, got 'fast'"]),
        (["--optim.lr", "[1"], ["--optim.lr", "'[1'"]),
        (["--optim.lr"], ["--optim.lr", "VALUE"]),
        (["--optim.lr", "--seed=1"], ["--optim.lr", "VALUE"]),
        (["fast"], ["'fast'", "--key.sub value"]),
        (["--training.batch_size", "5"], ["training.batch_size = 5", "execution.micro_batch = 2"]),
        (["--execution.device", "tpu"], ["execution.device: expected one of auto, cpu", "tpu"]),
        (["--model.d_model", "17"], ["model.d_model = 17"]),
        (["--tokenizer.vocab_size", "301"], ["model.vocab_size = 300", "tokenizer.vocab_size = 301"]),
        *[([f"--name={name}"], ["name = "]) for name in ("a/b", ".", "..", "", " a", "a\0", "\x1b[2J", "a" * 300)],
        *[
            ([f"--{key}", path], [key, "no path"])
            for key in ("source.train", "source.valid", "data.train", "data.tokenizer")
            for path in ("", "data/a\0b")
        ],
        (["--logging.sampling.top_p", "0"], ["logging.sampling.top_p = 0.0"]),
        (["--logging.sampling.temperature", ".inf"], ["logging.sampling.temperature = inf"]),
        (["--source.separator", "<|eot|>"], ["source.separator = '<|eot|>'", "tokenizer.special_tokens"]),
        (["--seed", "-1"], ["seed", "-1"]),
    ],
)
def test_bad_flags_are_refused_by_their_key(recipe, overrides, facts):
    with refuses(ConfigError, *facts):
        load_recipe(recipe, overrides)


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("lr: 3e-3", "lrate: 3e-3", "tiny.yaml: no recipe has the key optim.lrate"),
        ("num_steps: 20", "nun_steps: 20", "nearest is training.num_steps"),
        ("num_steps: 20", "num_steps: 20, micro_batch: 2", "nearest is execution.micro_batch"),
        ("name: tiny", "", "name"),
        ("name: tiny", "name: 2026", "name: expected text, got 2026"),
        ("name: tiny", "[", "not a recipe in YAML or JSON"),
        ("name: tiny", "name: &a tiny\nseed: *a", "an alias at line 3"),
        (RECIPE, "just words", "just words"),
        ("num_steps: 20,", "num_steps: 20, num_steps: 30,", "the key num_steps appears twice"),
        ("num_layers: 1, ", "", "model.num_layers"),
        ("lr: 3e-3", "lr:", "tiny.yaml: optim.lr: expected a number, got None"),
        ("{lr: 3e-3}", "3", "optim: expected the keys"),
        ("{lr: 3e-3}", r'"\0"', "optim: expected the keys"),
        ("lr: 3e-3", f"lr: {10**400}", "optim.lr: expected a number"),
        ("num_steps: 20", r'num_steps: 20, from_run: "a\0b"', r"training.from_run = 'a\x00b' is no path"),
        ("num_steps: 20", f"num_steps: {'9' * 5000}", "not a recipe"),
    ],
)
def test_bad_files_are_refused_by_their_key(recipe, old, new, fact):
    recipe.write_text(RECIPE.replace(old, new))
    with refuses(ConfigError, recipe, fact):
        load_recipe(recipe)


@pytest.mark.parametrize("text", ["Once upon a time: there was. A hen.\n", "Once.", "a: b: c"])
def test_a_text_in_place_of_a_recipe_is_refused_with_what_to_do(tmp_path, text):
    path = tmp_path / "train.txt"
    path.write_text(text * 3)
    with refuses(ConfigError, path, "source.train"):
        load_recipe(path)


def test_missing_recipe(tmp_path):
    with refuses(MissingFileError, "none.yaml"):
        load_recipe(tmp_path / "none.yaml")


def test_what_cannot_be_a_file_name_is_refused():
    """Oracle: file systems allow 255 bytes."""
    with refuses(DataError, "file name"):
        load_recipe("a" * 300)


def test_a_corpus_in_place_of_a_recipe_is_not_read(tmp_path):
    """Oracle: the file is sparse and larger than any memory; its size is in the message."""
    path = tmp_path / "train.txt"
    with path.open("wb") as file:
        file.truncate(2**42)
    with refuses(ConfigError, path, "4,398,046,511,104 bytes", "source.train"):
        load_recipe(path)


def test_binary_file_is_no_recipe(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"name: \xff")
    with refuses(ConfigError, path, "byte 6"):
        load_recipe(path)


def test_differing_keys_are_those_changed(recipe):
    config = load_recipe(recipe)
    other = load_recipe(recipe, ["--optim.lr", "1.0", "--name", "other"])
    assert differing_keys(config, config) == {}
    assert differing_keys(config, other) == {"name": ("tiny", "other"), "optim.lr": (0.003, 1.0)}


def test_help_has_every_key_with_the_docstring_of_its_field():
    """Oracle: two docstrings of fields in the source, and the defaults there."""
    text = recipe_help()
    for name, key in recipe_keys().items():
        assert field_docs(key.owner)[name.rpartition(".")[2]]
        variants = f" ({', '.join(key.variants)} only)" if key.variants else ""
        assert (f"\n{name}" if key.is_section else f"--{name}{variants}: ") in text
    assert "--logging.log_every: a whole number from 0 to 2**63 - 1 (default: 10)" in text
    assert "Optimizer steps between training records" in text
    assert "Width of the residual stream" in text


def test_numbers_are_those_of_yaml_1_2(recipe):
    """Oracle: YAML 1.2's core schema, section 10.3.2: 3e-3 is a number, `no` is text, nothing is octal."""
    config = load_recipe(recipe, ["--name", "no", "--optim.lr", "3e-3", "--optim.max_grad_norm", ".inf"])
    assert (config.name, config.optim.lr, config.optim.max_grad_norm) == ("no", 0.003, float("inf"))
    assert load_recipe(recipe, ["--training.num_steps", "1_000"]).training.num_steps == 1000
    with refuses(ConfigError, "training.num_steps", "010"):
        load_recipe(recipe, ["--training.num_steps", "010"])


def test_a_flag_for_a_section_replaces_it(recipe):
    assert load_recipe(recipe, ["--logging", "{sampling: {prompts: []}}"]).logging.sampling.prompts == []
    with refuses(ConfigError, "training.batch_size"):
        load_recipe(recipe, ["--training", "{num_steps: 3}"])


@pytest.mark.parametrize("cut", [1, 2, 5, 20, 39])
def test_a_saved_recipe_cut_at_a_line_end_is_refused(recipe, cut):
    """Oracle: the text without its last lines is still YAML, and most often still a recipe."""
    lines = save_recipe(load_recipe(recipe)).splitlines(keepends=True)
    recipe.write_text("".join(lines[: max(1, len(lines) - cut)]))
    with refuses(ConfigError, recipe):
        load_recipe(recipe)


def test_optimizers_and_schedules_are_variants_told_apart_by_kind(recipe):
    """Oracle: the configs built in Python; a key of another variant is refused."""
    groups = "[{pattern: embed|lm_head|ln, optimizer: {kind: adamw, lr: 3e-4}}]"
    flags = ["--optim.kind=muon", "--optim.lr=0.02", f"--optim.groups={groups}", "--optim.schedule.kind=constant"]
    rules = [GroupRule(pattern="embed|lm_head|ln", optimizer=AdamWConfig(lr=3e-4))]
    config = load_recipe(recipe, flags)
    assert config.optim == MuonOptim(lr=0.02, groups=rules, schedule=Constant())
    (recipe.parent / "saved.yaml").write_text(save_recipe(config))
    assert load_recipe(recipe.parent / "saved.yaml") == config
    for flag in ("--optim.betas=[0.5, 0.5]", "--optim.schedule.decay_steps=3"):
        with refuses(ConfigError, flag.partition("=")[0][2:]):
            load_recipe(recipe, [*flags, flag])
