"""The texts that homespun can download by name: where they lie, whose they are, and what is known of their bytes."""

from dataclasses import dataclass
from pathlib import Path

from homespun.errors import ConfigError

HUB_URL = "https://huggingface.co"
"""The data hub that holds them; a mirror of it, laid out the same, can stand in."""


@dataclass(frozen=True, kw_only=True)
class NamedText:
    """One file that can be downloaded."""

    name: str
    """What it is called on the command line."""
    corpus: str
    """The directory under `data/` that it goes to."""
    file_name: str
    location: str
    """Its path below the hub's URL."""
    description: str
    origin: str
    licence: str
    num_bytes: int | None = None
    """Its size; None where no trusted source states it: it is then the server's word that counts."""
    sha256: str | None = None
    """Its hash; None where no trusted source states it: it is then recorded on the first download."""

    @property
    def default_path(self) -> Path:
        """Where it goes unless another place is named."""
        return Path("data", self.corpus, self.file_name)

    def url(self, base_url: str = HUB_URL) -> str:
        """Its address at the hub or at a mirror of the hub."""
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
        _tinystories("tinystories", "TinyStoriesV2-GPT4-train.txt", "children's stories, training part, 2.2 GB"),
        _tinystories("tinystories-valid", "TinyStoriesV2-GPT4-valid.txt", "children's stories, validation part"),
        _openwebtext("openwebtext", "owt_train.txt.gz", "web pages, training part, 11.9 GB unpacked"),
        _openwebtext("openwebtext-valid", "owt_valid.txt.gz", "web pages, validation part"),
    )
}


def find_text(name: str) -> NamedText:
    """The text of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in NAMED_TEXTS:
        raise ConfigError(f"no text is called {name!r}; there are {', '.join(NAMED_TEXTS)}")
    return NAMED_TEXTS[name]
