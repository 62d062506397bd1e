"""HTML built so that text is escaped unless it was built here too."""

import json
import re
from html import escape
from typing import Any

# What HTML forbids and UTF-8 cannot encode: control characters but tab and line end, and lone surrogates.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = {"meta", "br", "rect", "line", "circle", "path", "col"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text_of(value: object) -> Markup:
    """Return `value` as HTML: escaped, with a replacement character for what a page cannot hold."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(_FORBIDDEN.sub("\ufffd", str(value))))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; strings among `children` are escaped, None and False are left out.

    Args:
        name: Of the element.
        children: Its content.
        attributes: `class_` for class, `data_value` for data-value; None leaves one out, True writes it without value.
    """
    written = "".join(
        f" {key.strip('_').replace('_', '-')}" + ("" if value is True else f'="{text_of(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{written}>" if name in {"meta", "br", "col"} else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Return the children one after the other; strings are escaped, None and False are left out."""
    return Markup("".join(text_of(child) for child in children if child is not None and child is not False))


def script_data(element_id: str, value: Any) -> Markup:
    """Return a data block that a script reads: JSON without any character that HTML could take for markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(f'<script type="application/json" id="{element_id}">{text}</script>')
