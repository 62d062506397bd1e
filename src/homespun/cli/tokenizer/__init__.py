"""The commands of `homespun tokenizer`: byte-level BPE."""
