"""What people send: forms and queries as bounded, decoded text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

MAX_BYTES = 512 * 1024
MAX_FIELDS = 4000
"A form can name every network group of a world."

T = TypeVar("T")


class TooLarge(Exception):
    """A form is larger than any of ours can be."""


class NotAForm(Exception):
    """The body is not what a form sends."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form or a query; a name can come several times."""

    fields: Mapping[str, Sequence[str]]

    def text(self, name: str, default: str = "") -> str:
        """The field's text without white space around it, or the default."""
        found = self.fields.get(name)
        return found[-1].strip() if found else default

    def raw(self, name: str) -> str:
        """The field as it was typed: for passwords."""
        found = self.fields.get(name)
        return found[-1] if found else ""

    def all(self, name: str) -> list[str]:
        """Every value under the name."""
        return list(self.fields.get(name, ()))

    def on(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return self.text(name) in {"on", "true", "1", "yes"}

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds; the default where it is none."""
        try:
            found = int(self.text(name)[:12])
        except ValueError:
            return default
        return max(least, min(most, found))

    def one_of(self, name: str, known: Sequence[T], default: T) -> T:
        """The value among the known ones that the text names, or the default."""
        given = self.text(name)
        return next((value for value in known if str(value) == given), default)


def query_of(request: Request) -> Form:
    """The query of a request."""
    return _form(request.url.query)


async def form_of(request: Request) -> Form:
    """The body of a POST; `TooLarge` before it is read whole, `NotAForm` where it is something else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm(kind)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLarge
    try:
        return _form(body.decode("ascii"))
    except UnicodeDecodeError:
        raise NotAForm("not ASCII") from None


def _form(encoded: str) -> Form:
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise TooLarge from None
    for name, value in pairs:
        # A NUL is no text, and PostgreSQL takes none.
        fields.setdefault(name, []).append(value.replace("\x00", "\ufffd").replace("\r\n", "\n"))
    return Form(fields)
