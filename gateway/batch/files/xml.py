"""XML of a stranger's: no document type, so no entities; bounded depth, and no token without an end."""

from collections.abc import Callable, Iterable, Iterator
from xml.parsers import expat

MAX_DEPTH = 64
MAX_TOKEN = 256 * 1024
"Bytes of one tag: expat reads an unfinished one again with every piece."


class BadXml(Exception):
    """Not the XML of a workbook."""


Start = Callable[[str, dict[str, str]], None]


def parsed(
    pieces: Iterable[bytes], start: Start, end: Callable[[str], None], text: Callable[[str], None]
) -> Iterator[None]:
    """Feed a part to the handlers, piece by piece; names come without their prefix. Raises BadXml."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0
    local: dict[str, str] = {}

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise BadXml("it is nested too deeply")
        start(local.get(name) or _local(local, name), attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(local.get(name) or _local(local, name))

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse
    fed = 0
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - max(0, parser.CurrentByteIndex) > MAX_TOKEN:
                raise BadXml("a tag in it is too long")
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise BadXml(str(error)) from None


def _refuse(*_: object) -> None:
    raise BadXml("it declares a document type, and with it entities")


def _local(known: dict[str, str], name: str) -> str:
    local = name.rpartition(":")[2]
    if len(known) < 256:
        known[name] = local
    return local
