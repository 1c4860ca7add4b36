"""`{call_id}`, `{from}`, `{to}` and the like in runtime URLs and headers, filled in for each call.

A secret in the path or a header is so kept apart from the URL, which logs show; `{{` and `}}` are braces.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from urllib.parse import quote

from gateway.agent.protocol import CallStart

__all__ = ["OF_EVERY_CALL", "fill_headers", "fill_url", "placeholder_values", "unknown_placeholders"]

OF_EVERY_CALL = ("call_id", "stream_id", "from", "to", "direction", "agent_id", "agent_version", "secret")
"What can always be named; beside it the version's own parameters."

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def unknown_placeholders(template: str, parameters: Collection[str]) -> list[str]:
    """What stands in braces and means nothing, in order; `{` for a brace without its other half."""
    known = {*OF_EVERY_CALL, *parameters}
    found = [(match[0], match[1]) for match in _PIECE.finditer(template)]
    return [piece for piece, name in found if piece not in ("{{", "}}") and name not in known]


def placeholder_values(call: CallStart, secret: str | None) -> Mapping[str, str]:
    """What the placeholders stand for in one call; its own facts are not to be overridden by parameters."""
    return {
        **call.parameters,
        "call_id": call.call_id,
        "stream_id": call.stream_id,
        "from": call.from_number,
        "to": call.to_number,
        "direction": call.direction,
        "agent_id": call.agent_id,
        "agent_version": str(call.agent_version),
        "secret": secret or "",
    }


def fill_url(template: str, values: Mapping[str, str]) -> str:
    """The URL with each value escaped, so that none can reach out of its place (RFC 3986 section 2.1)."""
    return _fill(template, lambda value: quote(value, safe=""), values)


def fill_headers(headers: Iterable[tuple[str, str]], values: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """The headers with the values as they are; what no header can hold in them is escaped."""
    return [(name, _fill(value, lambda one: quote(one, safe=_VISIBLE), values)) for name, value in headers]


def _fill(template: str, escape: Callable[[str], str], values: Mapping[str, str]) -> str:
    if "{" not in template and "}" not in template:
        return template
    return _PIECE.sub(lambda match: _filled(match, escape, values), template)


def _filled(match: re.Match[str], escape: Callable[[str], str], values: Mapping[str, str]) -> str:
    if match[0] in ("{{", "}}"):
        return match[0][0]
    # What is unknown stays as it is: versions from before there were placeholders mean their braces so.
    value = values.get(match[1] or "")
    return match[0] if value is None else escape(value)


_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
