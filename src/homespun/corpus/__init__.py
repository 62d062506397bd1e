"""Text in: named downloads, a reader of documents, and the storybook, whose entropy is known."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.corpus.catalogue import NAMED_TEXTS as NAMED_TEXTS
    from homespun.corpus.catalogue import NamedText as NamedText
    from homespun.corpus.catalogue import find_text as find_text
    from homespun.corpus.config import SourceConfig as SourceConfig
    from homespun.corpus.downloads import Download as Download
    from homespun.corpus.downloads import download as download
    from homespun.corpus.downloads import download_text as download_text
    from homespun.corpus.inputs import InputFile as InputFile
    from homespun.corpus.inputs import expand_inputs as expand_inputs
    from homespun.corpus.reader import read_documents as read_documents
    from homespun.corpus.reader import read_text as read_text
    from homespun.corpus.storybook import generate_stories as generate_stories
    from homespun.corpus.storybook import parse as parse
    from homespun.corpus.storybook import write_storybook as write_storybook

_HOMES = {
    "NAMED_TEXTS": "catalogue",
    "NamedText": "catalogue",
    "find_text": "catalogue",
    "SourceConfig": "config",
    "Download": "downloads",
    "download": "downloads",
    "download_text": "downloads",
    "InputFile": "inputs",
    "expand_inputs": "inputs",
    "read_documents": "reader",
    "read_text": "reader",
    "generate_stories": "storybook",
    "parse": "storybook",
    "write_storybook": "storybook",
}
__all__ = [
    "NAMED_TEXTS",
    "Download",
    "InputFile",
    "NamedText",
    "SourceConfig",
    "download",
    "download_text",
    "expand_inputs",
    "find_text",
    "generate_stories",
    "parse",
    "read_documents",
    "read_text",
    "write_storybook",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
