"""The split patterns that have a name, as regular expressions; the Rust core splits by hand where it knows one."""

from homespun._native import GPT2_PATTERN, GPT4_PATTERN, O200K_PATTERN, split
from homespun.errors import ConfigError

PATTERNS = {"gpt2": GPT2_PATTERN, "gpt4": GPT4_PATTERN, "o200k": O200K_PATTERN}


def resolve_pattern(pattern: str) -> str:
    """The regular expression of a named pattern; any other string is one already.

    Raises:
        ConfigError: it is empty, which would cut text nowhere, or malformed.
    """
    if not pattern:
        raise ConfigError("pattern is empty; write gpt2, gpt4, o200k or a regular expression")
    regex = PATTERNS.get(pattern, pattern)
    try:
        split("", regex)  # compiles it
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"pattern {regex!r:.100} holds a lone surrogate, which UTF-8 cannot write; remove it"
        ) from error
    return regex


def name_of_pattern(regex: str) -> str:
    """The name of a pattern that has one, else the regular expression itself."""
    return next((name for name, known in PATTERNS.items() if known == regex), regex)
