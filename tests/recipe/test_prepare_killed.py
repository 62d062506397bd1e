"""`prepare`, killed before each of its file operations, and repeated on what is left."""

import shutil

import pytest

from homespun.locks import LOCK_NAME
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from kills import each_kill

RECIPE = """
name: tiny
source: {{corpus: {corpus}, train: {root}/train.txt, valid: {root}/valid.txt,
  num_train_stories: 4, num_valid_stories: 2}}
tokenizer: {{vocab_size: 262, pattern: gpt4}}
data: {{tokenizer: {root}/tokenizer, train: {root}/train, valid: {root}/valid}}
model: {{vocab_size: 270, context_length: 16, d_model: 16, num_layers: 1, num_heads: 2, d_ff: 32}}
training: {{num_steps: 1, batch_size: 1}}
execution: {{micro_batch: 1}}
"""


def contents(root):
    files = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    # A lock file without its process locks nothing.
    return {path: data for path, data in files.items() if path.name != LOCK_NAME}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("corpus", ["files", pytest.param("storybook", marks=pytest.mark.slow)])
def test_a_kill_at_any_file_operation_changes_nothing_in_the_end(tmp_path, corpus):
    """Oracle: a preparation that nobody killed."""
    root, recipe = tmp_path / "root", tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE.format(corpus=corpus, root=root))
    config = load_recipe(recipe)

    def begin():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        if corpus == "files":
            for split in ("train", "valid"):
                (root / f"{split}.txt").write_text("A cat sat.<|endoftext|>A hen ran.<|endoftext|>")

    begin()
    prepare(config)
    expected, num_kills = contents(root), 0
    begin()
    for point in each_kill(root, lambda: prepare(config)):
        prepare(config)
        assert contents(root) == expected, point
        num_kills += 1
        begin()
    assert num_kills > 20
    assert contents(root) == expected
