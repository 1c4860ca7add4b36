"""Which calls a person means: words and numbers as they are written on a command line."""

from collections.abc import Iterable, Sequence

from gateway.call.record import EndReason, Status
from gateway.routing.decision import Reason
from gateway.routing.number import parse_e164
from gateway.routing.typed import cleaned
from gateway.store.configuration.fields import listed
from gateway.store.engine.errors import InvalidInput
from gateway.store.records.calls import Category


def statuses_meant(given: str | None) -> Sequence[str]:
    """Statuses, separated by commas."""
    return _known("status", given, Status)


def reasons_meant(given: str | None) -> Sequence[str]:
    """Why calls ended or were refused, separated by commas."""
    return _known("end_reason", given, [*EndReason, *Reason])


def categories_meant(given: str | None) -> Sequence[str]:
    """What asked for calls, separated by commas."""
    return _known("category", given, Category)


def category_ids_meant(given: str | None) -> Sequence[str]:
    """Ids of batches, or people's own of workflows, separated by commas."""
    return listed(given or "")


def numbers_meant(given: str | None) -> Sequence[str]:
    """Numbers in any writing; and as they are written, which is how a refused caller's are kept."""
    found = [*listed(given or "")]
    for each in [*found]:
        number = parse_e164("+" + "".join(filter(str.isdigit, cleaned(each))))
        if number is not None and not any(map(str.isalpha, each)):
            found.append(number.e164)
    return list(dict.fromkeys(found))


def _known(field: str, given: str | None, known: Iterable[str]) -> Sequence[str]:
    words = listed(given or "")
    right = list(dict.fromkeys(map(str, known)))
    for word in words:
        if word not in right:
            raise InvalidInput(field, word, f"should be of: {', '.join(right)}")
    return words
