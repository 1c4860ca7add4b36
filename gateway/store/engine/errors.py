"""What the store says when it cannot do what was asked."""

from enum import StrEnum


class Wrong(StrEnum):
    """What is wrong, for those who have a sentence of their own for it."""

    LOGIN_INCOMPLETE = "login_incomplete"
    "A user name without its password, or the other way round."
    LOGIN_UNWANTED = "login_unwanted"
    "Credentials where none are asked for."


class StoreError(Exception):
    """The database could not do it; the message is for a person."""


class Unacceptable(StoreError):
    """The database is there, but will never take these values: trying again does not help."""


GIVEN = "{field} = {given}: {expected}"


class InvalidInput(StoreError):
    """A value that the rules do not allow: says which field, what was given, and what would be right."""

    def __init__(
        self, field: str, given: object, right: str, *, whole: bool = False, wrong: Wrong | None = None
    ) -> None:
        """`whole`: `right` is a sentence that needs neither field nor value beside it."""
        self.field = field
        self.given = "" if given is None else str(given)
        self.right = right
        self.whole = whole
        self.wrong = wrong
        self.form = "{expected}" if whole else "{field}: {expected}" if given is None else GIVEN
        "The sentence, to be filled in by whoever calls the field otherwise."
        super().__init__(self.form.format(field=field, given=self.given, expected=right))

    def of_argument(self, name: str) -> str:
        """The sentence about a command's argument or option, which is written before its value."""
        return self.right if self.whole else f"{name} {self.given}".rstrip() + f": {self.right}"


class NotFound(InvalidInput):
    """There is nothing by that name or id."""


class Conflict(InvalidInput):
    """It would break something else: a name or number is taken, or the thing is in use."""
