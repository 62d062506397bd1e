"""The texts that homespun can download by name: address, origin, licence, size and hash."""

from dataclasses import dataclass
from pathlib import Path

from homespun.errors import ConfigError

HUB_URL = "https://huggingface.co"
"""The hub that serves them; a mirror with the same paths works too."""


@dataclass(frozen=True, kw_only=True)
class NamedText:
    """One file that can be downloaded."""

    name: str
    """Its name on the command line."""
    corpus: str
    """Its directory under `data/`."""
    file_name: str
    location: str
    """Its path below the hub's URL."""
    description: str
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
        return f"{base_url.rstrip('/')}/{self.location}"


def _tinystories(name: str, file_name: str, description: str) -> NamedText:
    return NamedText(
        name=name,
        corpus="tinystories",
        file_name=file_name,
        location=f"datasets/roneneldan/TinyStories/resolve/main/{file_name}",
        description=description,
        origin="roneneldan/TinyStories: stories written by GPT-4; Eldan & Li 2023, arXiv:2305.07759",
        licence="CDLA-Sharing-1.0",
    )


def _openwebtext(name: str, file_name: str, description: str) -> NamedText:
    return NamedText(
        name=name,
        corpus="openwebtext",
        file_name=file_name,
        location=f"datasets/stanford-cs336/owt-sample/resolve/main/{file_name}",
        description=description,
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
