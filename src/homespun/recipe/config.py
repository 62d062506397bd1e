"""One run in one value: composes the configs of the rooms below; torch-free, so that `estimate` can read a recipe."""

from dataclasses import dataclass, field
from typing import Literal

from homespun.config import check_at_least, check_choice, check_fraction
from homespun.corpus.config import SourceConfig
from homespun.data.config import DataConfig
from homespun.errors import ConfigError
from homespun.model.config import ModelConfig
from homespun.optim.config import OptimConfig
from homespun.optim.schedule import learning_rate_at
from homespun.tokenizer.config import TokenizerConfig

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """What the model is asked to write while it trains."""

    every: int = 500
    """Optimizer steps between samples; the end of a run is sampled too."""

    prompts: list[str] = field(default_factory=lambda: ["Once upon a time"])
    """Prompts to continue, each separately; an empty list asks for nothing."""

    max_new_tokens: int = 200
    """Tokens after which a sample is cut off, if its end has not come before."""

    temperature: float = 0.8
    """Divides the logits; 0 takes the likeliest token."""

    top_p: float = 0.95
    """Draw only from the likeliest tokens that together hold this much probability."""

    def __post_init__(self) -> None:
        check_at_least("training.sampling.every", self.every, 1)
        check_at_least("training.sampling.max_new_tokens", self.max_new_tokens, 1)
        check_at_least("training.sampling.temperature", self.temperature, 0)
        check_fraction("training.sampling.top_p", self.top_p)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How long to train, on how much at a time, on what machine, and what to note down on the way."""

    num_steps: int
    """Optimizer steps; the schedule ends with them."""

    batch_size: int
    """Sequences of `model.context_length` tokens in one optimizer step; a multiple of `micro_batch`."""

    micro_batch: int
    """Sequences in one forward pass: bounds memory, and leaves the mathematics as they are."""

    log_every: int = 10
    """Optimizer steps between lines of metrics.jsonl."""

    validation_every: int = 250
    """Optimizer steps between validations; the end of a run is validated on the whole set."""

    validation_tokens: int = 65_536
    """Tokens at the head of the validation set that are scored while training."""

    checkpoint_every: int = 250
    """Optimizer steps between checkpoints; the end of a run is one too."""

    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay on disk."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """What the model is asked to write while it trains."""

    device: Device = "auto"
    """Where to compute; "auto" takes the fastest that this machine has."""

    precision: Precision = "auto"
    """Format of matrix products; the weights are float32 always. "auto" takes bfloat16 where hardware speeds it up."""

    compile: bool = False
    """Whether torch.compile fuses the model's kernels: a minute at the start, faster steps after."""

    def __post_init__(self) -> None:
        for name in (
            "num_steps",
            "batch_size",
            "micro_batch",
            "log_every",
            "validation_every",
            "validation_tokens",
            "checkpoint_every",
            "keep_checkpoints",
        ):
            check_at_least(f"training.{name}", getattr(self, name), 1)
        check_choice("training.device", self.device, ("auto", "cpu", "cuda", "mps"))
        check_choice("training.precision", self.precision, ("auto", "float32", "bfloat16"))
        if self.batch_size % self.micro_batch:
            raise ConfigError(
                f"training.batch_size = {self.batch_size} is not a multiple of "
                f"training.micro_batch = {self.micro_batch}; a step is a whole number of forward passes"
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that fixes a run: with the same recipe, text and machine it comes out the same, bit for bit."""

    name: str
    """What to call the run; its directory is runs/NAME unless --out says otherwise."""

    source: SourceConfig
    """The text to learn from."""

    tokenizer: TokenizerConfig
    """The tokenizer that `prepare` trains if its directory does not exist."""

    data: DataConfig
    """Where the tokenizer and the token data sets lie."""

    model: ModelConfig
    """The shape of the model."""

    optim: OptimConfig
    """How weights are updated."""

    training: TrainingConfig
    """How long, on how much at a time, and where."""

    seed: int = 0
    """From it every part derives its own: initial weights, order of the data, samples."""

    def __post_init__(self) -> None:
        if not self.name.strip() or any(mark in self.name for mark in "/\\"):
            raise ConfigError(f"name = {self.name!r} cannot name a directory; use letters, digits, - and _")
        check_at_least("seed", self.seed, 0)
        # Refuses a warm-up or a decay that the run is too short for.
        learning_rate_at(0, self.optim, self.training.num_steps)
        if self.model.vocab_size < self.tokenizer.vocab_size:
            raise ConfigError(
                f"model.vocab_size = {self.model.vocab_size} is less than "
                f"tokenizer.vocab_size = {self.tokenizer.vocab_size}; the model must know every token"
            )

    @property
    def tokens_per_step(self) -> int:
        """Tokens trained on in one optimizer step."""
        return self.training.batch_size * self.model.context_length
