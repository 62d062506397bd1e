"""The configuration of a run, composed from the configs of the packages below; torch-free.

`source, tokenizer, data, model, optim, training, seed` say what is trained and are fixed for the life of a run.
`execution` and `logging` say how, and may change whenever it resumes.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from homespun.config import check_at_least, check_choice, check_path
from homespun.corpus.config import SourceConfig
from homespun.data.config import DataConfig
from homespun.errors import ConfigError, GenerationError
from homespun.generation.sampling import Sampling
from homespun.model.config import ModelConfig
from homespun.optim.config import AdamWOptim, OptimConfig
from homespun.tokenizer.config import TokenizerConfig

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Tracker = Literal["tensorboard", "wandb"]
_MAX_THREADS = 1024
_MAX_NAME_BYTES = 200
"""Below the 255 of common file systems: names of files made from it must fit too."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The length of the run and the size of its steps."""

    num_steps: int
    """Optimizer steps; the schedule ends with them."""

    batch_size: int
    """Sequences of `model.context_length` tokens in one optimizer step; a multiple of `execution.micro_batch`."""

    from_run: str | None = None
    """Run directory whose latest weights the run begins with; null: weights drawn from `seed`."""

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size"):
            check_at_least(f"training.{name}", getattr(self, name), 1)
        if self.from_run is not None:
            check_path("training.from_run", self.from_run)


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """How the steps are computed; may change when the run resumes."""

    micro_batch: int
    """Sequences in one forward pass: bounds memory; gradients are summed over the whole batch."""

    device: Device = "auto"
    """Where to compute; "auto" takes the fastest that this machine has."""

    precision: Precision = "auto"
    """Format of matrix products; weights are float32 always. "auto" takes bfloat16 where hardware speeds it up."""

    threads: int | None = None
    """CPU threads that compute; null: as many as torch takes by itself, one a core or OMP_NUM_THREADS."""

    compile: bool = False
    """Whether torch.compile fuses the model's kernels: a minute at the start, faster steps after."""

    def __post_init__(self) -> None:
        check_at_least("execution.micro_batch", self.micro_batch, 1)
        if self.threads is not None:
            check_at_least("execution.threads", self.threads, 1)
            if self.threads > _MAX_THREADS:
                raise ConfigError(
                    f"execution.threads = {self.threads:,} must be at most {_MAX_THREADS:,}; more threads than cores "
                    "make nothing faster"
                )
        check_choice("execution.device", self.device, get_args(Device))
        check_choice("execution.precision", self.precision, get_args(Precision))


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Text that the model generates while it trains."""

    every: int = 500
    """Optimizer steps between samples; the end of a run is sampled too."""

    prompts: list[str] = field(default_factory=lambda: ["Once upon a time"])
    """Prompts to continue, each separately; an empty list turns sampling off."""

    max_new_tokens: int = 200
    """Tokens after which a sample is cut off, if its document has not ended before."""

    temperature: float = 0.8
    """Divides the logits; 0 takes the most likely token."""

    top_p: float = 0.95
    """Draw only from the most likely tokens that together have this probability."""

    def __post_init__(self) -> None:
        check_at_least("logging.sampling.every", self.every, 1)
        check_at_least("logging.sampling.max_new_tokens", self.max_new_tokens, 1)
        try:
            # The checks that generation makes, before the first step rather than at the first sample.
            Sampling(temperature=self.temperature, top_p=self.top_p)
        except GenerationError as error:
            raise ConfigError(f"logging.sampling.{error}") from error


@dataclass(frozen=True, kw_only=True)
class LoggingConfig:
    """What is recorded while training, and how often; may change when the run resumes."""

    log_every: int = 10
    """Optimizer steps between training records in metrics.jsonl."""

    validation_every: int = 250
    """Optimizer steps between validations; the end of a run is also validated on the whole set."""

    validation_tokens: int = 65_536
    """Tokens at the head of the validation set that are scored while training."""

    checkpoint_every: int = 250
    """Optimizer steps between checkpoints; the end of a run has one too."""

    keep_checkpoints: int = 2
    """Number of latest checkpoints kept, besides the best: of the steps validated and saved, the one of least loss."""

    pin_checkpoints: list[int] = field(default_factory=list)
    """Steps whose checkpoints are saved whatever `checkpoint_every`, and never removed."""

    track: list[Tracker] = field(default_factory=list)
    """Experiment trackers, besides metrics.jsonl: tensorboard, wandb (offline where you are not logged in)."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Text that the model generates while it trains."""

    def __post_init__(self) -> None:
        for tracker in self.track:
            check_choice("logging.track", tracker, get_args(Tracker))
        if len(set(self.track)) < len(self.track):
            raise ConfigError(f"logging.track = {self.track} names a tracker twice")
        for step in self.pin_checkpoints:
            check_at_least("logging.pin_checkpoints", step, 1)
        for name in ("log_every", "validation_every", "validation_tokens", "checkpoint_every", "keep_checkpoints"):
            check_at_least(f"logging.{name}", getattr(self, name), 1)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that determines a run: the same recipe on the same machine gives the same bits."""

    name: str
    """Name of the run; its directory is runs/NAME unless --out says otherwise."""

    source: SourceConfig
    """The text to learn from."""

    tokenizer: TokenizerConfig
    """The tokenizer that `prepare` trains if its directory does not exist."""

    data: DataConfig
    """Directories of the tokenizer and the token data sets."""

    model: ModelConfig
    """The shape of the model."""

    optim: OptimConfig = field(default_factory=AdamWOptim)
    """How weights are updated."""

    training: TrainingConfig
    """The length of the run and the size of its steps."""

    execution: ExecutionConfig
    """How the steps are computed; may change when the run resumes."""

    logging: LoggingConfig = field(default_factory=LoggingConfig)
    """What is recorded while training, and how often; may change when the run resumes."""

    seed: int = 0
    """Every random stream derives its own seed from it: initial weights, order of the data, samples."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        check_at_least("seed", self.seed, 0)
        # Raises where warm-up or decay do not fit in the run.
        self.optim.schedule.check_fits(self.training.num_steps)
        if self.training.batch_size % self.execution.micro_batch:
            raise ConfigError(
                f"training.batch_size = {self.training.batch_size} is not a multiple of execution.micro_batch = "
                f"{self.execution.micro_batch}; a step is a whole number of forward passes"
            )
        # Checked now, not at the first sample of an empty prompt or when text is encoded.
        if self.source.separator not in self.tokenizer.special_tokens:
            raise ConfigError(
                f"source.separator = {self.source.separator!r} is not among tokenizer.special_tokens = "
                f"{self.tokenizer.special_tokens}; add it there: it becomes the token that ends a document"
            )
        if self.model.vocab_size < self.tokenizer.vocab_size:
            raise ConfigError(
                f"model.vocab_size = {self.model.vocab_size} is less than "
                f"tokenizer.vocab_size = {self.tokenizer.vocab_size}; the model needs an embedding for every token"
            )

    @property
    def tokens_per_step(self) -> int:
        """Tokens trained on in one optimizer step."""
        return self.training.batch_size * self.model.context_length


def _check_name(name: str) -> None:
    """Refuse what is not a plain, printable name of one directory."""
    is_component = name not in ("", ".", "..") and not any(mark in name for mark in "/\\:") and name == name.strip()
    if not (is_component and name.isprintable() and len(name.encode(errors="replace")) <= _MAX_NAME_BYTES):
        raise ConfigError(
            f"name = {name!r:.80} cannot name a directory; use letters, digits, - and _, "
            f"at most {_MAX_NAME_BYTES} bytes of them"
        )
