"""`homespun corpus get NAME`: download a text, resuming an interrupted download."""

import sys
from pathlib import Path

from homespun.cli.parsing import CommandParser
from homespun.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Download one text and print its path and hash."""
    parser = CommandParser(
        prog="homespun corpus get", description="Download a text; `homespun corpus list` names them."
    )
    parser.add_argument("name", metavar="NAME", help="such as tinystories or openwebtext-valid")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: under data/)")
    parser.add_argument("--base-url", metavar="URL", help="a mirror of the data hub with the same paths")
    options = parser.parse_args(arguments)

    from homespun.corpus.catalogue import HUB_URL, find_text
    from homespun.corpus.downloads import download_text

    text = find_text(options.name)
    with progress_bar(f"downloading {text.file_name}", "bytes") as on_progress:
        result = download_text(
            text,
            options.out or text.default_path,
            base_url=options.base_url or HUB_URL,
            on_progress=on_progress,
            on_message=lambda message: print(message, file=sys.stderr),
        )
    print(f"{result.path}: {result.num_bytes:,} bytes{', there already' if result.was_present else ''}")
    print(f"sha256 {result.sha256}")
    if result.record is not None:
        print(
            f"No trusted source states this file's hash: it was recorded in {result.record}, "
            "and later downloads must equal it."
        )
    return 0
