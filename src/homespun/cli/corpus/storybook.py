"""`homespun corpus storybook`: write generated children's stories whose entropy is known."""

from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_count
from homespun.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Write the stories and say how many bits they hold."""
    parser = CommandParser(
        prog="homespun corpus storybook",
        description="Write generated children's stories, separated by <|endoftext|>, and beside them their exact bits.",
    )
    parser.add_argument("--stories", type=parse_count, required=True, metavar="N", help="how many")
    parser.add_argument("--seed", type=parse_count, default=0, metavar="S", help="another seed, other stories (0)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to put them")
    options = parser.parse_args(arguments)

    from homespun.config import check_at_least
    from homespun.storybook.write import entropy_path, write_storybook

    check_at_least("--stories", options.stories, 1)
    with progress_bar("generating stories", "stories") as on_progress:
        entropy = write_storybook(options.out, num_stories=options.stories, seed=options.seed, on_progress=on_progress)
    print(f"{options.out}: {entropy.num_documents:,} stories, {entropy.num_bytes:,} bytes")
    print(f"{entropy_path(options.out)}: {entropy.bits:,.0f} bits, {entropy.bits_per_byte:.4f} bits per byte")
    return 0
