"""What carriers, agents and tenants have written, fit for a terminal, a log viewer and a spreadsheet.

Control characters move cursors, set titles and answer for the reader; those of bidirectional writing make
text read otherwise than it is. Here they become visible, and nothing else changes: JSON stays the same JSON.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
    "\xad\u061c\u180e\u200b\u200e\u200f"  # unseen, or turning text around
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff"  # halves of surrogate pairs
    "\U000e0000-\U000e0fff"  # tags
    "]"
)
"What is not shown as it is. The joiners U+200C and U+200D are: languages are written with them."


def legible(text: str) -> str:
    r"""Text on one line, what cannot be seen written out: `\x1b`, `\u202e`."""
    return UNSAFE.sub(_written_out, text)


def legible_lines(text: str) -> str:
    """The same, with its line breaks and tabs as they are."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else _written_out(found), text)


def legible_values(value: Any) -> Any:
    """A JSON value with every text in it legible."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, Mapping):
        return {legible(str(name)): legible_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [legible_values(each) for each in value]
    return value


def legible_json(value: object) -> str:
    """A value as JSON on one line; what cannot be seen stands there as JSON escapes: nothing is lost."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:
        # Half of a surrogate pair, which is no text in UTF-8.
        return json.dumps(value, default=str)
    if text.isascii() and "\x7f" not in text:
        return text  # of what is left, orjson writes out C0 itself
    return escaped_json(text)


def escaped_json(text: str) -> str:
    """JSON with what cannot be seen as JSON escapes; its own line breaks stay."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else _json_escape(found[0]), text)


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(character: str) -> str:
    # json.dumps leaves DEL as it is.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
