"""The texts that homespun can download by name: address, origin, licence, size and hash."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from homespun.errors import ConfigError

HUB_URL = "https://huggingface.co"
"""The hub that serves them; a mirror with the same paths works too."""


@dataclass(frozen=True)
class NamedText:
    """One file that can be downloaded."""

    name: str
    """Its name on the command line."""
    file_name: str
    description: str
    corpus: str
    """Its directory under `data/`."""
    folder: str
    """Its directory at the hub."""
    origin: str
    licence: str
    num_bytes: int | None = None
    """Its size. None: no trusted source states it, and the server's is used."""
    sha256: str | None = None
    """Its hash. None: no trusted source states it, and it is recorded on the first download."""

    @property
    def default_path(self) -> Path:
        """The file that it is downloaded to by default."""
        return Path("data", self.corpus, self.file_name)

    def url(self, base_url: str = HUB_URL) -> str:
        """Its address at the hub or a mirror."""
        return f"{base_url.rstrip('/')}/{self.folder}/{self.file_name}"


_tinystories = partial(
    NamedText,
    corpus="tinystories",
    folder="datasets/roneneldan/TinyStories/resolve/main",
    origin="roneneldan/TinyStories: stories written by GPT-4; Eldan & Li 2023, arXiv:2305.07759",
    licence="CDLA-Sharing-1.0",
)
_openwebtext = partial(
    NamedText,
    corpus="openwebtext",
    folder="datasets/stanford-cs336/owt-sample/resolve/main",
    origin="stanford-cs336/owt-sample, of OpenWebText (Gokaslan & Cohen 2019)",
    licence="none stated for the pages themselves; see the data set's page",
)

NAMED_TEXTS: dict[str, NamedText] = {
    text.name: text
    for text in (
        _tinystories("tinystories", "TinyStoriesV2-GPT4-train.txt", "children's stories, training split, 2.2 GB"),
        _tinystories("tinystories-valid", "TinyStoriesV2-GPT4-valid.txt", "children's stories, validation split"),
        _openwebtext("openwebtext", "owt_train.txt.gz", "web pages, training split, 11.9 GB unpacked"),
        _openwebtext("openwebtext-valid", "owt_valid.txt.gz", "web pages, validation split"),
    )
}


def find_text(name: str) -> NamedText:
    """Return the text of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in NAMED_TEXTS:
        raise ConfigError(f"no text is called {name!r}; there are {', '.join(NAMED_TEXTS)}")
    return NAMED_TEXTS[name]
