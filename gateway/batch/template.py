"""An empty file for a version, its parameters as columns."""

from collections.abc import Iterable

from gateway.batch.columns import phone_rank
from gateway.events.call_sheet import line

PHONE_COLUMN = "phone_number"


def template_file(parameters: Iterable[str]) -> str:
    """A CSV file with a header and no rows: the number's column, then one for each parameter.

    It has a byte-order mark where a spreadsheet would misread it without one.
    """
    others = dict.fromkeys(name for name in parameters if phone_rank(name) is None)
    header = line((PHONE_COLUMN, *others))
    return header if header.isascii() else f"\ufeff{header}"
