"""Numbers of things in sentences."""


def counted(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`; with `many` where more is to change than an s: `1 line is`, `2 lines are`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
