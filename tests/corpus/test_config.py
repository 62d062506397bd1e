import pytest

from homespun.corpus import SourceConfig, find_text
from homespun.errors import ConfigError
from refusals import refuses


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"corpus": "tinystory"}, ["source.corpus", "tinystory", "storybook"]),
        ({"valid": "train.txt"}, ["source.train", "source.valid", "train.txt"]),
        ({"separator": ""}, ["source.separator"]),
        ({"num_train_stories": 0}, ["source.num_train_stories", 0]),
    ],
)
def test_source_config_refuses_nonsense(values, facts):
    with refuses(ConfigError, *facts):
        SourceConfig(**{"corpus": "files", "train": "train.txt", "valid": "valid.txt"} | values)


def test_named_texts_are_found_by_name_alone():
    assert find_text("tinystories").url("http://mirror/").startswith("http://mirror/datasets/roneneldan/TinyStories/")
    with refuses(ConfigError, "tinystorys", "tinystories, tinystories-valid, openwebtext"):
        find_text("tinystorys")
