"""Write the tables of letters, numbers and white space that the splitter and the slow reference share.

Run with unicodedata2 16.0.0 installed, from the root of the checkout:

    python tools/generate_unicode_tables.py

Letters and numbers are general categories L* and N*. White space is the property White_Space of
PropList.txt, which Python does not expose; its 25 code points have not changed since Unicode 6.3.
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
BLOCK_BITS = 8
"""Code points a second-stage block covers: 2**BLOCK_BITS."""

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


def of_category(initial: str) -> list[int]:
    """Code points whose general category begins with `initial`."""
    return [point for point in range(NUM_CODE_POINTS) if unicodedata2.category(chr(point)).startswith(initial)]


def python_table(classes: dict[str, list[int]]) -> str:
    """The module of ranges that the slow reference builds its pattern from."""
    lines = [
        '"""Unicode ranges of letters, numbers and white space; written by tools/generate_unicode_tables.py."""',
        "",
        f'UNICODE_VERSION = "{UNICODE_VERSION}"',
    ]
    for name, points in classes.items():
        lines += ["", f"{name}: tuple[tuple[int, int], ...] = ("]
        lines += [f"    (0x{first:04X}, 0x{last:04X})," for first, last in ranges(points)]
        lines += [")"]
    return "\n".join(lines) + "\n"


def rust_table(classes: dict[str, list[int]]) -> str:
    """Two-stage table: the high bits choose a block of classes, the low bits the entry."""
    class_of = bytearray(NUM_CODE_POINTS)
    for number, points in enumerate(classes.values(), start=1):
        for point in points:
            class_of[point] = number
    size = 1 << BLOCK_BITS
    blocks: dict[bytes, int] = {}
    stage1 = [
        blocks.setdefault(bytes(class_of[start : start + size]), len(blocks))
        for start in range(0, NUM_CODE_POINTS, size)
    ]
    numbered = ", ".join(f"{number} {name.lower()}" for number, name in enumerate(classes, start=1))
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
            f"pub static STAGE1: [u8; {len(stage1)}] = [",
            *rows(stage1),
            "];",
            f"/// Classes, block after block: 0 other, {numbered}.",
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
    classes = {"LETTERS": of_category("L"), "NUMBERS": of_category("N"), "WHITE_SPACE": list(WHITE_SPACE)}
    (ROOT / "crates/bpe/src/unicode_tables.rs").write_text(rust_table(classes), encoding="ascii")
    (ROOT / "src/homespun/tokenizer/unicode_tables.py").write_text(python_table(classes), encoding="ascii")


if __name__ == "__main__":
    main()
