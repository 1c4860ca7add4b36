"""E.164 numbers: how a trunk writes them, which country they belong to (ITU-T E.164, RFC 3966)."""

from dataclasses import dataclass
from enum import StrEnum


class NumberStyle(StrEnum):
    """How a trunk writes telephone numbers."""

    PLUS = "plus"
    "`+442079460018`"
    DIGITS = "digits"
    "`442079460018`: international, without the plus."
    PREFIXED = "prefixed"
    "`00442079460018`, `011442079460018`: international, behind the access code."
    NATIONAL = "national"
    "`02079460018`: as dialled inside the country; abroad with that country's access code, or a plus."


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A trunk's way of writing numbers in the Request-URI and in From.

    Written as text for configuration and the store: `plus`, `digits`, `prefixed:00`, `national:GB`, each with
    `;tech=9912` for a tech prefix. `parse` and `str` are inverses.
    """

    style: NumberStyle = NumberStyle.PLUS
    access_code: str = "00"
    "What stands before an international number where style is `prefixed`."
    country: str = ""
    "ISO 3166 code of the country whose numbers come without a calling code, where style is `national`."
    tech_prefix: str = ""
    "Digits (also `*` and `#`) that the carrier puts, or wants, before the called number."

    def __post_init__(self) -> None:
        if self.style is NumberStyle.NATIONAL and not (len(self.country) == 2 and self.country.isalpha()):
            raise ValueError(f"a national number format needs a two-letter country, not {self.country!r}")
        if self.style is NumberStyle.PREFIXED and not self.access_code.isdecimal():
            raise ValueError(f"an international access code is digits, not {self.access_code!r}")
        if self.tech_prefix.strip("0123456789*#"):
            raise ValueError(f"a tech prefix is digits, * and #, not {self.tech_prefix!r}")

    @classmethod
    def parse(cls, text: str) -> "NumberFormat":
        """Read `plus`, `digits`, `prefixed:011`, `national:GB;tech=9912`; ValueError says what is wrong."""
        head, *options = (part.strip() for part in text.split(";"))
        tech_prefix = ""
        for option in options:
            name, _, tech_prefix = option.partition("=")
            if name != "tech":
                raise ValueError(f"unknown option {name!r} of number format {text!r}; there is tech=…")
        style, _, argument = head.partition(":")
        if style not in set(NumberStyle):
            raise ValueError(f"unknown number format {text!r}; there are {', '.join(NumberStyle)}")
        if style == NumberStyle.PREFIXED:
            return cls(NumberStyle.PREFIXED, access_code=argument or "00", tech_prefix=tech_prefix)
        if style == NumberStyle.NATIONAL:
            return cls(NumberStyle.NATIONAL, country=argument.upper(), tech_prefix=tech_prefix)
        if argument:
            raise ValueError(f"number format {style!r} takes no argument, but has {argument!r}")
        return cls(NumberStyle(style), tech_prefix=tech_prefix)

    def __str__(self) -> str:
        """The text that `parse` reads."""
        arguments = {NumberStyle.PREFIXED: self.access_code, NumberStyle.NATIONAL: self.country}
        head = f"{self.style.value}:{arguments[self.style]}" if self.style in arguments else self.style.value
        return f"{head};tech={self.tech_prefix}" if self.tech_prefix else head


PLUS = NumberFormat()
"`+442079460018`: what we write ourselves, and what a trunk gets that says nothing else."
