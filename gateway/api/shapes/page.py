"""Lists that are given a page at a time: how a page is asked for, and its shape."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from gateway.api.calls import json

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=100, description="Of one page.")]
Page = Annotated[int, Query(ge=1, le=1_000_000, description="Counted from 1.")]


class ListPage(BaseModel, Generic[Item]):
    """A page of a list."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    items: list[Item]
    "Of this page."
    total: int
    "Of all pages."
    page: int
    "Counted from 1."
    limit: int
    "Of one page."


def paged(items: Sequence[object], total: int, page: int, limit: int) -> Response:
    """The answer with these items."""
    return json({"items": items, "total": total, "page": page, "limit": limit})
