"""The exact information content of a corpus whose source is known."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CorpusEntropy:
    """The exact information content of a set of documents whose source is known."""

    bits: float
    num_bytes: int
    """Bytes of the same documents, separators included."""
    num_documents: int

    @property
    def bits_per_byte(self) -> float:
        """The least bits per byte any model can expect on text from this source."""
        return self.bits / self.num_bytes
