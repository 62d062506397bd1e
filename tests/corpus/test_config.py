import pytest

from homespun.corpus import SourceConfig, find_text
from homespun.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corpus": "tinystory"}, r"source\.corpus = 'tinystory' is unknown; choose one of storybook"),
        ({"valid": "train.txt"}, r"source\.train and source\.valid are both train\.txt"),
        ({"separator": ""}, r"source\.separator is empty"),
        ({"num_train_stories": 0}, r"source\.num_train_stories = 0"),
    ],
)
def test_source_config_refuses_nonsense(values, message):
    with pytest.raises(ConfigError, match=message):
        SourceConfig(**{"corpus": "files", "train": "train.txt", "valid": "valid.txt"} | values)


def test_named_texts_are_found_by_name_alone():
    assert find_text("tinystories").url("http://mirror/").startswith("http://mirror/datasets/roneneldan/TinyStories/")
    with pytest.raises(ConfigError, match="there are tinystories, tinystories-valid, openwebtext"):
        find_text("tinystorys")
