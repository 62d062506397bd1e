"""Tokenizers on disk: a directory of tokenizer.json, vocab.json and merges.txt; `.tiktoken` files are read too."""
