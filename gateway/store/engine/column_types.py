"""Types of columns that are the same to the code on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite keeps it as text that sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: nobody could know what it means."""
        return None if value is None else _in_utc(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """For SQLite the text at once: SQLAlchemy formats it a field at a time."""
        return _text_of if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Make it UTC, whatever the session's zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text_of(value: datetime | None) -> str | None:
    """As SQLAlchemy writes it, without the zone."""
    return None if value is None else _in_utc(value).isoformat(" ", "microseconds")[: -len("+00:00")]


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """An exact decimal; text in SQLite, which has no decimals."""

    impl = sa.Numeric(18, 6)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal] | TypeEngine[str]:
        """Text in SQLite, numeric elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(40))
        return dialect.type_descriptor(sa.Numeric(18, 6))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | Decimal | None:
        """As text for SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: str | Decimal | None, dialect: Dialect) -> Decimal | None:
        """Without the zeros that a fixed scale puts after the point."""
        if value is None:
            return None
        exact = Decimal(value).normalize()
        return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
