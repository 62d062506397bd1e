"""The split patterns that have a name, as regular expressions; the Rust core has a hand-written splitter for each."""

import re

from homespun._native import GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN, split
from homespun.errors import ConfigError

PATTERNS = {"gpt2": GPT2_PATTERN, "gpt4": GPT4_PATTERN, "o200k": O200K_PATTERN}

# The names of the vocabularies and models that use a pattern, without case and punctuation: "GPT-2" is gpt2.
_ALIASES = {
    "gpt2": ("gpt2", "r50k", "r50kbase", "p50k", "p50kbase", "p50kedit", "gpt3"),
    "gpt4": ("gpt4", "cl100k", "cl100kbase", "gpt35", "gpt35turbo"),
    "o200k": ("o200k", "o200kbase", "o200kharmony", "gpt4o", "gpt41", "gpt5", "gptoss"),
}
_NAME_OF_ALIAS = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}

PATTERN_NAMES = "gpt2 (r50k_base, p50k_base), gpt4 (cl100k_base) or o200k (o200k_base)"
"""The names with their best-known aliases, for messages and help."""


def resolve_pattern(pattern: str, field: str = "pattern") -> str:
    r"""Return the regular expression of a named pattern; any other string is a regular expression.

    Text that it does not match is kept: the text between two matches is a pre-token too. A word without any
    regular-expression syntax is refused because it is a misspelled name: as a regular expression it would split the
    text at its own occurrences and nowhere else. `(?:word)` says that this is meant.

        >>> resolve_pattern("GPT-2") == resolve_pattern("r50k_base") == PATTERNS["gpt2"]
        True

    Args:
        pattern: A name, in any case and punctuation, or a regular expression.
        field: The user's name for the setting, for messages.

    Raises:
        ConfigError: it is empty, a word that is no name, or malformed.
    """
    if not pattern:
        raise ConfigError(f"{field} is empty; write {PATTERN_NAMES}, or a regular expression")
    if name := _NAME_OF_ALIAS.get(re.sub(r"[\s._-]", "", pattern).lower()):
        return PATTERNS[name]
    if re.fullmatch(r"[\w.-]*\w[\w.-]*", pattern):
        raise ConfigError(f"{field}: no pattern is called {pattern!r}; write {PATTERN_NAMES}, or a regular expression")
    try:
        split("", pattern)  # compiles it
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{field} {pattern!r:.100} contains a lone surrogate, which UTF-8 cannot write; remove it"
        ) from error
    return pattern


def name_of_pattern(regex: str) -> str:
    """Return the name of a pattern that has one, else the regular expression itself."""
    return next((name for name, known in PATTERNS.items() if known == regex), regex)
