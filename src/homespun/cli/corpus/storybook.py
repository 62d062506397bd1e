"""`homespun corpus storybook`: write generated children's stories whose entropy is known."""

from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_count
from homespun.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Write the stories and print their entropy."""
    parser = CommandParser(
        "homespun corpus storybook",
        "Write generated children's stories, separated by <|endoftext|>, and in a second file their exact bits.",
    )
    parser.add_argument("--stories", type=parse_count, required=True, metavar="N", help="the number of stories")
    parser.add_argument("--seed", type=parse_count, default=0, metavar="S", help="seed of the stories (0)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--force", action="store_true", help="replace FILE if it has something else")
    options = parser.parse_args(arguments)

    from homespun.config import check_at_least
    from homespun.entropy import CorpusEntropy
    from homespun.errors import DataError
    from homespun.files import check_is_file
    from homespun.records import read_json_record
    from homespun.storybook.write import entropy_path, write_storybook

    check_at_least("--stories", options.stories, 1)
    is_there = options.out.exists()
    if is_there:
        check_is_file(options.out, "a file to write", "name a file, not its directory")
        if not options.force and not _holds_stories(options.out, options.stories, options.seed):
            raise DataError(
                f"{options.out}: has another text than {options.stories:,} stories of the seed {options.seed}; data "
                "sets may depend on it: choose another --out, or replace it with --force"
            )
    if is_there and not options.force and entropy_path(options.out).exists():
        entropy = read_json_record(entropy_path(options.out), CorpusEntropy)
    else:
        with progress_bar("generating stories", "stories") as on_progress:
            entropy = write_storybook(
                options.out, num_stories=options.stories, seed=options.seed, on_progress=on_progress
            )
    print(f"{options.out}: {entropy.num_documents:,} stories, {entropy.num_bytes:,} bytes")
    print(f"{entropy_path(options.out)}: {entropy.bits:,.0f} bits, {entropy.bits_per_byte:.4f} bits per byte")
    return 0


def _holds_stories(path: Path, num_stories: int, seed: int) -> bool:
    """Whether a file has exactly these stories; it is read up to the first difference."""
    from homespun.storybook.write import SEPARATOR, generate_stories

    with path.open("rb") as file:
        for story in generate_stories(num_stories, seed):
            expected = f"{story.text}{SEPARATOR}".encode("ascii")
            if file.read(len(expected)) != expected:
                return False
        return not file.read(1)
