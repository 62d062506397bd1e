"""Write the tables of character classes that the splitter and the slow reference share.

Run with unicodedata2 16.0.0 installed, from the root of the checkout:

    python tools/generate_unicode_tables.py

Letters, numbers and marks are general categories L*, N* and M*; among letters, upper case is Lu and Lt, lower case is
Ll, and Lm and Lo have no case. White space is the property White_Space of PropList.txt, which Python does not expose;
its 25 code points have not changed since Unicode 6.3.
"""

from itertools import chain
from pathlib import Path

import unicodedata2

UNICODE_VERSION = "16.0.0"
WHITE_SPACE = (
    *range(0x0009, 0x000E),
    *(0x0020, 0x0085, 0x00A0, 0x1680),
    *range(0x2000, 0x200B),
    *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
)
NUM_CODE_POINTS = 0x110000
BLOCK_BITS = 6
"""Code points a second-stage block covers: 2**BLOCK_BITS, as many as the last byte of a UTF-8 sequence tells apart."""

FLAGS = {
    "LETTERS": 0b1000_0000,
    "UPPERCASE": 0b1100_0000,
    "LOWERCASE": 0b1010_0000,
    "NUMBERS": 0b0100_0000,
    "WHITE_SPACE": 0b0010_0000,
    "MARKS": 0b0001_0000,
}
"""What the Rust table holds for a class: four high bits, so that the bits of many entries can be taken in one move."""

ROOT = Path(__file__).resolve().parents[1]


def ranges(code_points: list[int]) -> list[tuple[int, int]]:
    """Join ascending code points into inclusive ranges: [1, 2, 3, 7] -> [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for point in code_points:
        if found and found[-1][1] == point - 1:
            found[-1] = (found[-1][0], point)
        else:
            found.append((point, point))
    return found


def of_category(*initials: str) -> list[int]:
    """Code points whose general category begins with one of `initials`."""
    return [point for point in range(NUM_CODE_POINTS) if unicodedata2.category(chr(point)).startswith(initials)]


def python_table(classes: dict[str, list[int]]) -> str:
    """The module of ranges by which the slow reference tells characters apart."""
    lines = [
        '"""Unicode ranges of classes of characters; written by tools/generate_unicode_tables.py."""',
        "",
        f'UNICODE_VERSION = "{UNICODE_VERSION}"',
    ]
    for name, points in classes.items():
        lines += ["", f"{name}: tuple[tuple[int, int], ...] = ("]
        lines += [f"    (0x{first:04X}, 0x{last:04X})," for first, last in ranges(points)]
        lines += [")"]
    return "\n".join(lines) + "\n"


def rust_table(classes: dict[str, list[int]]) -> str:
    """Two-stage table: the high bits choose a block of entries, the low bits the entry."""
    class_of = bytearray(NUM_CODE_POINTS)
    for name, points in classes.items():
        for point in points:
            class_of[point] = FLAGS[name]
    size = 1 << BLOCK_BITS
    blocks: dict[bytes, int] = {}
    stage1 = [
        blocks.setdefault(bytes(class_of[start : start + size]), len(blocks))
        for start in range(0, NUM_CODE_POINTS, size)
    ]
    flags = ", ".join(f"{FLAGS[name]:#04x} {name.lower()}" for name in classes)
    return "\n".join(
        [
            "//! Class of every code point; written by tools/generate_unicode_tables.py.",
            "",
            "/// The version of Unicode that the tables hold.",
            f'pub const UNICODE_VERSION: &str = "{UNICODE_VERSION}";',
            "/// Code points in a block of the second stage, as a power of two.",
            f"pub const BLOCK_BITS: u32 = {BLOCK_BITS};",
            "/// Block of each run of code points.",
            "#[rustfmt::skip]",
            f"pub static STAGE1: [u16; {len(stage1)}] = [",
            *rows(stage1),
            "];",
            f"/// Classes, block after block: 0 other, {flags}.",
            "#[rustfmt::skip]",
            f"pub static STAGE2: [u8; {len(blocks) * size}] = [",
            *rows(list(chain.from_iterable(blocks))),
            "];",
            "",
        ]
    )


def rows(numbers: list[int], width: int = 48) -> list[str]:
    """Lines of comma-separated numbers."""
    return ["    " + ",".join(map(str, numbers[i : i + width])) + "," for i in range(0, len(numbers), width)]


def main() -> None:
    """Write both tables."""
    if unicodedata2.unidata_version != UNICODE_VERSION:
        raise SystemExit(
            f"unicodedata2 holds Unicode {unicodedata2.unidata_version}, the tables are made for {UNICODE_VERSION}; "
            f"pip install unicodedata2=={UNICODE_VERSION}"
        )
    classes = {
        "LETTERS": of_category("L"),
        # Letters too: what follows says more about them.
        "UPPERCASE": of_category("Lu", "Lt"),
        "LOWERCASE": of_category("Ll"),
        "NUMBERS": of_category("N"),
        "WHITE_SPACE": list(WHITE_SPACE),
        "MARKS": of_category("M"),
    }
    (ROOT / "crates/bpe/src/unicode_tables.rs").write_text(rust_table(classes), encoding="ascii")
    (ROOT / "src/homespun/tokenizer/unicode_tables.py").write_text(python_table(classes), encoding="ascii")


if __name__ == "__main__":
    main()
