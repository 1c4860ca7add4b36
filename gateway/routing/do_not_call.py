"""Numbers that a workspace's calls never go to: what a list says of one, and the rule that heeds it."""

from dataclasses import dataclass
from datetime import datetime

from gateway.routing.decision import Reason, Trail
from gateway.routing.number import E164

ON_THE_LIST = "Destination is on the do-not-call list of this workspace"
NAME = "do-not-call list"


@dataclass(frozen=True, slots=True)
class Listed:
    """A number on a workspace's list."""

    phone_number: str
    "E.164."
    reason: str
    "Why, in the words of whoever added it; may be empty."
    added_by: str
    added_at: datetime


def may_be_called(trail: Trail, number: E164, listed: Listed | None, *, has_list: bool) -> None:
    """On every route, the last of the destination's rules; raises Rejected.

    `listed` is what the workspace's list says of the number. Of a list that is empty nothing is told.
    """
    if listed is None or listed.phone_number != number.e164:
        if has_list:
            trail.passed(NAME, number.e164, "not on the list")
        return
    since = f"on the list since {listed.added_at:%Y-%m-%d}"
    found = f"{since}: “{listed.reason}”" if listed.reason else since
    trail.near([f"all rules of the destination but this one let {number.e164} be called"])
    raise trail.refused(Reason.DO_NOT_CALL, NAME, number.e164, found, message=ON_THE_LIST)
