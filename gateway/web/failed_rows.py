"""Rows of a file that cannot be called, a page of them: of a file that was checked, or of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from starlette.responses import Response

from gateway.web.page import Visit

SIZE = 50


@dataclass(frozen=True, slots=True)
class RowPage:
    """Which of a group's rows are asked for."""

    number: int
    total: int

    @classmethod
    def asked(cls, visit: Visit, total: int) -> "RowPage":
        """By the query; the last page where there is none that far."""
        pages = max(1, ceil(total / SIZE))
        return cls(min(visit.query.whole("page", 1, 1, 1_000_000), pages), total)

    @property
    def pages(self) -> int:
        """How many there are."""
        return max(1, ceil(self.total / SIZE))

    @property
    def bounds(self) -> tuple[int, int]:
        """The first row of the page, and the first of the next one."""
        return SIZE * (self.number - 1), SIZE * self.number


def rows_page(
    visit: Visit, path: str, title: str, page: RowPage, rows: Sequence[object], back: tuple[str, str]
) -> Response:
    """A page of rows; for the script that opens a group within its page, the table alone."""
    values: dict[str, Any] = {
        "path": path,
        "reason": visit.query.text("reason")[:64],
        "rows": rows,
        "page": page.number,
        "pages": page.pages,
        "total": page.total,
    }
    if visit.wants_part:
        return visit.part("batch_rows_table.html", **values)
    return visit.page("batch_rows.html", "batches", title=title, back=back, **values)
