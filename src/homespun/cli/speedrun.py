"""`homespun speedrun`: train to within 0.03 bits per byte of the storybook's entropy, in as few minutes as possible."""

import secrets
from pathlib import Path

from homespun.cli.parsing import parse_count
from homespun.cli.recipes import RecipeParser

_DESCRIPTION = """\
Train a recipe on the storybook, then score the model on stories of a seed that is drawn after training: nobody can tune
to them. A run qualifies if it is at most 0.03 bits per byte above their exact entropy; the fewest minutes win. The
same command resumes, and scores a finished run again, on other stories.

examples:
  homespun speedrun recipes/speedrun.yaml
  homespun speedrun recipes/speedrun.yaml --score-seed 7           the stories of this seed again"""


def main(arguments: list[str]) -> int:
    """Prepare, train, score."""
    parser = RecipeParser("homespun speedrun", _DESCRIPTION)
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's directory (default: runs/NAME)")
    parser.add_argument(
        "--score-seed", type=parse_count, metavar="N", help="seed of the stories to score (default: drawn)"
    )
    parser.add_argument("--stories", type=parse_count, default=2000, metavar="N", help="how many (default: 2000)")
    parsed = parser.parse_recipe(arguments)
    if parsed is None:
        return 0
    config, own = parsed
    # Imported here: `--help` does not wait for torch.
    from homespun.cli.progress import progress_bar
    from homespun.cli.train import train_with_console
    from homespun.experiments.speedrun import TARGET, score_run
    from homespun.recipe.prepare import prepare
    from homespun.records import RunDirectory

    root = own.out or Path("runs") / config.name
    if not RunDirectory(root).result.exists():
        prepare(config, on_message=print, show_progress=progress_bar)
        code = train_with_console(config, root)
        if code:
            print("stopped and saved; the same command resumes")
            return code
    seed = secrets.randbelow(2**31) if own.score_seed is None else own.score_seed
    score = score_run(root, seed, own.stories)
    verdict = "qualifies" if score.qualifies else f"does not qualify, the target is {TARGET}"
    print(
        f"{root}: {score.minutes:.2f} minutes, {score.gap:+.4f} bits per byte above the exact entropy "
        f"({score.bits_per_byte:.4f} against {score.exact_bits_per_byte:.4f}, {score.num_stories:,} stories of seed "
        f"{score.seed}): {verdict}"
    )
    print(
        f"| {score.minutes:.2f} | {score.gap:+.4f} | {score.num_parameters:,} | {score.tokens:,} | {score.machine}, "
        f"{score.num_threads} threads, {score.precision} |"
    )
    return 0 if score.qualifies else 1
