"""Tokenizers on disk: a directory of tokenizer.json, vocab.json and merges.txt; `.tiktoken` files are read too."""

from homespun.tokenizer.storage.directory import check_can_be_saved as check_can_be_saved
from homespun.tokenizer.storage.directory import load_definition as load_definition
from homespun.tokenizer.storage.directory import save_definition as save_definition
from homespun.tokenizer.storage.gpt2 import read_gpt2_files as read_gpt2_files
from homespun.tokenizer.storage.pretrained import load_pretrained as load_pretrained
from homespun.tokenizer.storage.tiktoken import read_tiktoken_file as read_tiktoken_file

__all__ = [
    "check_can_be_saved",
    "load_definition",
    "load_pretrained",
    "read_gpt2_files",
    "read_tiktoken_file",
    "save_definition",
]
