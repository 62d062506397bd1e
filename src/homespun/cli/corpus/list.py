"""`homespun corpus list`: the texts that can be downloaded by name."""

from homespun.cli.parsing import CommandParser


def main(arguments: list[str]) -> int:
    """Print the catalogue."""
    parser = CommandParser("homespun corpus list", "List the texts that `homespun corpus get` downloads.")
    parser.parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.corpus import NAMED_TEXTS

    for text in NAMED_TEXTS.values():
        size = "size unknown until downloaded" if text.num_bytes is None else f"{text.num_bytes:,} bytes"
        hash_line = "recorded on the first download" if text.sha256 is None else text.sha256
        print(f"{text.name}: {text.description}")
        print(f"  file     {text.file_name} ({size})")
        print(f"  sha256   {hash_line}")
        print(f"  origin   {text.origin}")
        print(f"  licence  {text.licence}")
    print("storybook: children's stories of known entropy, generated, no download: `homespun corpus storybook --help`")
    return 0
