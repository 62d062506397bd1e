"""The speedrun: how soon a model comes near the exact entropy of the storybook, judged on stories of a fresh seed.

Nobody can tune a recipe to stories that do not exist yet, and nothing has to be downloaded.
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from homespun.data.encode import encode_corpus
from homespun.errors import ConfigError
from homespun.evaluation.evaluate import evaluate_dataset
from homespun.files import write_text_atomically
from homespun.records import RunDirectory
from homespun.runs.device import autocast, compute_threads
from homespun.runs.load import load_run
from homespun.seeding import derive_seed
from homespun.storybook import write_storybook

TARGET = 0.03
"""Bits per byte above the exact entropy that a run may have at most."""

_NUM_STORIES = 2000
"""Enough that the gap varies by 0.001 from one seed to another."""


@dataclass(frozen=True, kw_only=True)
class SpeedrunScore:
    """How a trained run did; `speedrun.json` in its directory."""

    minutes: float
    """Of training, on the clock, validations and checkpoints included."""
    cpu_minutes: float
    """The same in processor time, over all threads."""
    tokens: int
    num_parameters: int
    seed: int
    """Of the stories that were scored."""
    num_stories: int
    bits_per_byte: float
    exact_bits_per_byte: float
    gap: float
    """The model's bits per byte minus the exact ones."""
    qualifies: bool
    """Whether the gap is at most the target."""
    machine: str
    num_threads: int
    precision: str
    commit: str | None


def score_run(root: Path, seed: int, num_stories: int = _NUM_STORIES) -> SpeedrunScore:
    """Score the finished run at `root` on new stories, and write `speedrun.json` there.

    Args:
        root: A run on the storybook.
        seed: Of the stories; a seed that was drawn after training cannot have been tuned to.
        num_stories: How many stories.

    Raises:
        ConfigError: the run was trained on another text, or with the stories of this seed, or has not finished.
    """
    run = load_run(root)
    source, result = run.config.source, run.directory.read_result()
    if source.corpus != "storybook":
        raise ConfigError(f"{root}: trained on source.corpus = {source.corpus!r}; a speedrun is on the storybook")
    if result is None:
        raise ConfigError(f"{root}: this run has not finished; train it with the same command")
    story_seed = derive_seed(seed, "speedrun")
    if story_seed in (derive_seed(source.seed, split) for split in ("train", "valid")):
        raise ConfigError(f"seed = {seed} gives the stories that the run was trained on; take another")
    execution = run.config.execution
    with tempfile.TemporaryDirectory(dir=root, prefix="stories-") as folder:
        text, ids = Path(folder) / "stories.txt", Path(folder) / "ids"
        entropy = write_storybook(text, num_stories=num_stories, seed=story_seed)
        dataset = encode_corpus(run.tokenizer, [text], ids, separator=source.separator, entropy=entropy)
        with compute_threads(run.device, execution.precision, execution.threads):
            evaluation = evaluate_dataset(
                run.model,
                dataset,
                context_length=run.config.model.context_length,
                batch_size=32,
                precision_context=lambda: autocast(run.device, execution.precision),
            )
    environment = json.loads(run.directory.environment.read_text(encoding="utf-8"))
    gap = evaluation.bits_per_byte - entropy.bits_per_byte
    score = SpeedrunScore(
        minutes=result.seconds / 60,
        cpu_minutes=result.cpu_seconds / 60,
        tokens=result.tokens,
        num_parameters=result.num_parameters,
        seed=seed,
        num_stories=num_stories,
        bits_per_byte=evaluation.bits_per_byte,
        exact_bits_per_byte=entropy.bits_per_byte,
        gap=gap,
        qualifies=gap <= TARGET,
        machine=environment["machine"]["device"],
        num_threads=environment["machine"]["num_threads"],
        precision=execution.precision,
        commit=run.directory.read_sessions()[-1].commit,
    )
    write_text_atomically(score_path(run.directory), json.dumps(asdict(score), indent=2) + "\n")
    return score


def score_path(directory: RunDirectory) -> Path:
    """Return where a run's score is written."""
    return directory.root / "speedrun.json"
