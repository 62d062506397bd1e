"""`homespun demo`: the full pipeline on the built-in storybook, from generated text to stories and a report."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser

if TYPE_CHECKING:
    from homespun.records import RunDirectory
    from homespun.runs.load import TrainedRun

RECIPE = Path(__file__).with_name("demo.yaml")
_NUM_STORIES = 3
_TEMPERATURE = 0.7  # a little below 1: favours the more likely stories


def main(arguments: list[str]) -> int:
    """Prepare, train, write three stories, compare with the exact entropy, report."""
    parser = CommandParser(
        prog="homespun demo",
        description=(
            "Text, tokenizer, token files, training, evaluation, stories and a report, on a corpus that homespun "
            "generates: nothing is downloaded. The same command resumes an interrupted demo, and shows the result of "
            "a finished one. Every key of recipes/demo.yaml is a flag too, such as --training.num_steps 300."
        ),
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), metavar="DIR", help="default: runs/demo")
    options, overrides = parser.parse_known_args(arguments)
    out = options.out

    # Imported here: `homespun demo --help` does not wait for torch.
    from homespun.cli.progress import progress_bar
    from homespun.cli.train import train_with_console
    from homespun.recipe.load import load_recipe
    from homespun.recipe.prepare import prepare
    from homespun.records import RunDirectory
    from homespun.reporting import write_report
    from homespun.runs.load import load_run

    directory = RunDirectory(out)
    config = load_recipe(RECIPE, overrides)
    minutes: dict[str, float] = {}
    began = time.monotonic()
    if directory.result.exists():
        print(f"{out} is finished already; delete it to train again")
    else:
        prepare(config, on_message=print, show_progress=progress_bar)
        minutes["text, tokenizer, token files"] = (time.monotonic() - began) / 60
        code = train_with_console(config, out)
        if code:
            print("stopped and saved; `homespun demo` resumes")
            return code
        minutes["training and validation"] = (time.monotonic() - began) / 60 - sum(minutes.values())
    for number, story in enumerate(write_stories(load_run(out)), start=1):
        print(f"\n--- story {number} ---\n{story}")
    print(describe_result(directory))
    write_report([out], directory.report)
    minutes["stories and report"] = (time.monotonic() - began) / 60 - sum(minutes.values())
    print(f"report: {directory.report}")
    print("minutes: " + ", ".join(f"{stage} {spent:.1f}" for stage, spent in minutes.items()))
    return 0


def write_stories(run: "TrainedRun") -> list[str]:
    """Generate whole stories, each from only the token that begins a document."""
    from homespun.generation import Sampling, decode_batch

    length, sampling = run.config.model.context_length, Sampling(temperature=_TEMPERATURE)
    stories = decode_batch(run.model, run.tokenizer, [""] * _NUM_STORIES, length, sampling, document_start=True)
    return [story.strip() for story in stories]


def describe_result(directory: "RunDirectory") -> str:
    """The model's bits per byte next to the exact bits of the same validation stories."""
    result, entropy = directory.read_result(), directory.read_entropy()
    assert result is not None, "a finished run has its result"
    assert entropy is not None, "the storybook knows its entropy"
    reached = result.validation.bits_per_byte
    return (
        f"\nvalidation: {reached:.4f} bits per byte; the same {entropy.num_documents:,} stories hold exactly "
        f"{entropy.bits_per_byte:.4f}, the least that any model can expect: {reached - entropy.bits_per_byte:+.4f}"
    )
