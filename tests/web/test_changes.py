"""The history of a thing in words: values as pages write them elsewhere."""

from datetime import UTC, datetime

import pytest

from gateway.store.configuration.history import Change
from gateway.web.changes import shown_changes
from gateway.web.who import Who

AT = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-11-30T19:56:40.661067Z", "2026-11-30 19:56:40 UTC"),
        ("2026-11-30T19:56:40+00:00", "2026-11-30 19:56:40 UTC"),
        ("2026-11-30T19:56 is no time", "2026-11-30T19:56 is no time"),
        (["+442079460018", "+12025550142"], "+442079460018, +12025550142"),
        (True, "yes"),
        (None, "–"),
    ],
)
def test_values(value: object, said: str) -> None:
    """Times to the second and in UTC, lists with commas; what is none of these stays as it is."""
    change = Change("chg_1", AT, "cli:root", "org_1", "number", "phn_1", "change", {"it": [None, value]}, 1)
    (line,) = shown_changes([change], {}, Who({}, {}))[0].lines
    assert (line.before, line.after) == ("–", said)
