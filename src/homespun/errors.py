"""Every error homespun raises on purpose: one tree, each leaf is also the built-in error that a caller would expect.

A message says where, what was given, what was expected and what to do, in the user's own words.
"""


class HomespunError(Exception):
    """The root: catching it catches everything that homespun raises on purpose, and nothing else."""


class ConfigError(HomespunError, ValueError):
    """A field of a recipe, a flag or an argument has an invalid value."""


class DataError(HomespunError, ValueError):
    """A text, a token data set or a token id is not what it should be."""


class TokenizerError(HomespunError, ValueError):
    """A vocabulary, a merge list or a text cannot be used by the tokenizer."""


class CheckpointError(HomespunError, ValueError):
    """A checkpoint is truncated, altered, or belongs to another model."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint's bytes are not those that were written: truncated or altered."""


class RunError(HomespunError, ValueError):
    """A run directory cannot be used as asked: another recipe, already finished, or not a run."""


class TrainingError(HomespunError, ArithmeticError):
    """Training cannot continue: the loss or the gradients are not finite."""


class GenerationError(HomespunError, ValueError):
    """Nothing can be generated from a prompt or with a sampling setting."""


class ArgumentTypeError(HomespunError, TypeError):
    """An argument has the wrong type: bytes for a text, a text for ids."""


class MissingFileError(HomespunError, FileNotFoundError):
    """A file or directory that was named does not exist."""


class StorageError(HomespunError, OSError):
    """The disk refused: full, read-only, or not permitted."""


class BusyError(HomespunError, BlockingIOError):
    """Another process is writing the same output."""


class DownloadError(HomespunError, OSError):
    """A download failed, or what arrived is not what was expected."""


class ClusterError(HomespunError, RuntimeError):
    """A cluster cannot be reached, or fails at its tasks."""


EXTRAS = {
    "train": ("torch", "einops", "jaxtyping", "safetensors", "scipy"),
    "track": ("tensorboard", "wandb"),
    "scale": ("fsspec", "pyarrow", "ray"),
    "bench": ("tiktoken", "tokenizers", "regex", "rustbpe", "bpeasy", "gigatoken", "rs-bpe"),
}
"""Optional packages, by the extra that installs them."""


class MissingPackageError(HomespunError, ImportError):
    """An optional package is needed; the message says how to install it."""

    @classmethod
    def for_import(cls, error: ImportError, who: str) -> "MissingPackageError | None":
        """Return the error to raise where `who` failed to import a package; None if the package is of no extra."""
        package = (error.name or "").partition(".")[0]
        for extra, packages in EXTRAS.items():
            if package in packages:
                # By name, which works for a checkout too. Training needs all of its packages, the others one each.
                named = " ".join(packages) if extra == "train" else package
                return cls(f"{who} needs {package}: pip install {named} (the extra homespun[{extra}])")
        return None


def escape_unprintable(text: str) -> str:
    """Return `text` with line ends, control characters and lone surrogates escaped.

    The names of files and runs may contain them; a terminal would execute them, and UTF-8 cannot encode a surrogate.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
