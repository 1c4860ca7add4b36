"""E.164 numbers: how a trunk writes them, which country they belong to (ITU-T E.164, RFC 3966)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneMetadata

from gateway.routing.trunk_prefix import TrunkPrefix

MAX_RAW = 64
"Longest text that is looked at: 15 digits, a tech prefix, separators and parameters fit several times."

MAX_DIGITS = 15
"E.164 section 6.1: the calling code and all that follows it."

LONGEST_SHORT_CODE = 6
"Digits; no international number is this short, a few national ones are."

EMERGENCY = frozenset(
    f"{code:03}"
    for code in (
        *(0, *range(100, 106), 108, *range(110, 121), 122, 123, 128, 131, 132, 133, 144, 155, 166, 177),
        *(*range(190, 196), 197, 199, 911, *range(990, 996), 997, 998, 999),
    )
)
"Emergency numbers of several countries each, as dialled there. All other numbers this short are short codes."

WITHHELD = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "private", "withheld"})
"What callers without a number are called (RFC 3323 section 4.1.1.3, and what carriers made of it)."


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


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a number as it was written."""

    e164: str
    "`+442079460018`"
    how: str
    "What the writing was taken for."
    lenient: bool = False
    "True where that is not the format that the trunk is configured for."


@dataclass(frozen=True, slots=True)
class Normalised:
    """A number as it came, and all that it can mean: the most likely reading first."""

    raw: str
    readings: tuple[Reading, ...] = ()
    why_not: str = ""
    "Why there is no reading; empty where there is one."

    @property
    def e164(self) -> str | None:
        """The most likely reading, or None."""
        return self.readings[0].e164 if self.readings else None

    @property
    def how(self) -> str:
        """How the most likely reading came about, or why there is none."""
        return self.readings[0].how if self.readings else self.why_not


def normalise(raw: str, writing: NumberFormat = PLUS) -> Normalised:
    """Read a number as a trunk writes it: a user part, a `tel:` or a `sip:` URI, percent-escapes decoded.

    What does not fit the configured format is read leniently, so that a missing plus never costs a call; each
    reading says how it was found, and whoever has the table of numbers picks the one that exists.
    """
    if len(raw) > MAX_RAW:
        return Normalised(raw[:MAX_RAW], why_not=f"longer than {MAX_RAW} characters")
    return _normalised(raw, writing)


@lru_cache(maxsize=4096)  # a call's numbers are read three times, and most are those of calls before it
def _normalised(raw: str, writing: NumberFormat) -> Normalised:
    dialled, context = _dialled(raw)
    complaint = _not_a_number(dialled, context, writing)
    if complaint:
        return Normalised(raw, why_not=complaint)
    unique: dict[str, Reading] = {}
    for reading in _readings(dialled, context, writing):
        unique.setdefault(reading.e164, reading)
    if not unique and context and not context.startswith("+"):
        return Normalised(raw, why_not=f"local to {context[:40]}: no international number")
    if not unique:
        return Normalised(raw, why_not=f"no possible number in any writing (the trunk's is {writing})")
    return Normalised(raw, tuple(unique.values()))


SEPARATORS = str.maketrans("", "", " -.()/\t\u00a0")
"RFC 3966 section 5.1.1 visual separators, and what people type."

_CONTEXT = "phone-context="


def _dialled(raw: str) -> tuple[str, str]:
    """The bare digits (with plus, star, hash as they came), and the phone-context, if there is one.

    A global context begins with a plus (RFC 3966 section 5.1.5); any other is a domain, in lower case.
    """
    scheme, colon, rest = raw.strip().partition(":")
    user = rest if colon and scheme.lower() in {"tel", "sip", "sips"} else raw.strip()
    number, *parameters = user.partition("@")[0].split(";")
    contexts = [unquote(p[len(_CONTEXT) :]).strip('"') for p in parameters if p.lower().startswith(_CONTEXT)]
    context = contexts[0].lower() if contexts else ""
    plain = context.translate(SEPARATORS)
    return number.translate(SEPARATORS), plain if plain[:1] == "+" and plain[1:].isdecimal() else context


def _not_a_number(dialled: str, context: str, writing: NumberFormat) -> str:
    """Why this cannot be a telephone number at all, or nothing. Comes before the number library is asked."""
    if dialled.lower() in WITHHELD:
        return "no number: withheld or empty"
    if not dialled.isascii() or dialled.strip("+0123456789*#"):
        return "has characters that no telephone number has"
    digits = dialled.removeprefix("+")
    if digits in EMERGENCY:
        return "an emergency or service number"
    if not digits.removeprefix(writing.tech_prefix).removeprefix("+").isdecimal():
        return "a service code, not a number" if dialled[0] in "*#" else "*, # or + inside the number"
    if (
        len(digits) <= LONGEST_SHORT_CODE
        and not context.startswith("+")
        and writing.style is not NumberStyle.NATIONAL
    ):
        return "a short code, not a number"
    return ""


def _readings(dialled: str, context: str, writing: NumberFormat) -> Iterator[Reading]:
    """What the digits can mean, behind the tech prefix first; then as if it had been forgotten."""
    tech = writing.tech_prefix
    if tech and dialled.startswith(tech):
        for reading in _plain_readings(dialled.removeprefix(tech), context, writing):
            yield Reading(reading.e164, f"{reading.how}, behind tech prefix {tech}", reading.lenient)
    for reading in _plain_readings(dialled, context, writing):
        yield Reading(reading.e164, f"{reading.how}, tech prefix {tech} missing", True) if tech else reading


def _plain_readings(dialled: str, context: str, writing: NumberFormat) -> Iterator[Reading]:
    if dialled.startswith("+"):
        yield from _international(dialled[1:], "with its plus", lenient=False)
    elif context and not context.startswith("+"):
        # Local to whoever has the domain: no claim to be a number of the world (RFC 3966 section 5.1.5).
        if writing.style is NumberStyle.NATIONAL:
            yield from _national(dialled, writing)
    elif context:
        yield from _international(context[1:] + dialled, f"behind phone-context {context}", lenient=False)
    else:
        for style in dict.fromkeys((writing.style, NumberStyle.PREFIXED, NumberStyle.DIGITS)):
            yield from _READERS[style](dialled, writing)


def _digits(dialled: str, writing: NumberFormat) -> Iterator[Reading]:
    lenient = writing.style is not NumberStyle.DIGITS
    yield from _international(dialled, "without its plus", lenient=lenient)


def _prefixed(dialled: str, writing: NumberFormat) -> Iterator[Reading]:
    for code in dict.fromkeys((writing.access_code, "00", "011")):
        if dialled.startswith(code):
            lenient = writing.style is not NumberStyle.PREFIXED or code != writing.access_code
            how = f"behind access code {code}"
            yield from _international(dialled.removeprefix(code), how, lenient=lenient)


def _national(dialled: str, writing: NumberFormat) -> Iterator[Reading]:
    try:
        number = phonenumbers.parse(dialled, writing.country)
    except phonenumbers.NumberParseException:
        return
    if phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE:
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        yield Reading(e164, f"as dialled in {writing.country}")


_READERS = {
    NumberStyle.PLUS: _digits,  # the plus itself has been looked for
    NumberStyle.DIGITS: _digits,
    NumberStyle.PREFIXED: _prefixed,
    NumberStyle.NATIONAL: _national,
}


def _international(digits: str, how: str, *, lenient: bool) -> Iterator[Reading]:
    number = parse_e164(f"+{digits}")
    if number is not None:
        yield Reading(number.e164, how, lenient)


@dataclass(frozen=True, slots=True)
class E164:
    """A possible international number, taken apart."""

    calling_code: str
    "`44`"
    national: str
    "What follows it: `2079460018`."

    @property
    def e164(self) -> str:
        """With its plus."""
        return f"+{self.calling_code}{self.national}"

    @property
    def digits(self) -> str:
        """Without a plus: what rates and ranges are matched by."""
        return self.calling_code + self.national


def parse_e164(text: str) -> E164 | None:
    """An international number from `+` and digits, or None where the numbering plan has no such length.

    A trunk zero behind the calling code (`+44 (0)20…`) is dropped as the country's plan says. Possible is not
    valid: an area code that nobody has yet opened is possible, since plans are newer than any copy of them.
    """
    digits = text[1:]
    if not (text[:1] == "+" and digits.isascii() and digits.isdecimal()) or len(digits) > MAX_RAW:
        return None
    for width in (1, 2, 3):
        plan = _calling_code_plan(digits[:width])
        if plan is not None:
            return plan.take_apart(digits)
    return None


def possible_number(calling_code: str, national: str) -> E164 | None:
    """The number behind a calling code, as it stands; None where no number there has its length."""
    plan = _calling_code_plan(calling_code)
    return None if plan is None else plan.possible(national)


def begins_a_number(prefix: str) -> bool:
    """Whether any possible international number begins with these digits, the calling code among them."""
    for width in (1, 2, 3):
        plan = _calling_code_plan(prefix[:width]) if len(prefix) >= width else None
        if plan is not None:
            return plan.has_numbers_behind(prefix)
    return any(str(code).startswith(prefix) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


@dataclass(frozen=True, slots=True)
class _CallingCodePlan:
    """What the number library knows of a calling code, in the shape that a decision can afford to ask."""

    calling_code: str
    lengths: frozenset[int]
    trunk_prefix: TrunkPrefix | None

    def take_apart(self, digits: str) -> E164 | None:
        national = digits[len(self.calling_code) :]
        if self.trunk_prefix is not None and self.trunk_prefix.begins(national):
            return self._without_trunk_prefix(digits)
        return self.possible(national)

    def has_numbers_behind(self, prefix: str) -> bool:
        """Whether numbers begin so: behind a trunk zero, say, there is none."""
        code, lengths = len(self.calling_code), sorted(self.lengths)
        if self.trunk_prefix is not None and self.trunk_prefix.begins(prefix[code:]):
            # The library keeps the zero of what would be too short without it.
            lengths = lengths[-1:]
        room = [length + code - len(prefix) for length in lengths]
        tried = (self.take_apart(prefix + fill * more) for more in room if more >= 0 for fill in "25908")
        return any(number is not None and number.digits.startswith(prefix) for number in tried)

    def _without_trunk_prefix(self, digits: str) -> E164 | None:
        """Some leading zeros belong to a number, others are dialled before it."""
        national = digits[len(self.calling_code) :]
        assert self.trunk_prefix is not None, "it begins the number"
        if self.trunk_prefix.rewrites(national):
            return self._as_the_library(digits)
        return self.possible(self.trunk_prefix.without(national))

    def _as_the_library(self, digits: str) -> E164 | None:
        try:
            number = phonenumbers.parse(f"+{digits}")
        except phonenumbers.NumberParseException:
            return None
        return self.possible(phonenumbers.national_significant_number(number))

    def possible(self, national: str) -> E164 | None:
        """The number, if numbers have this length."""
        if len(national) not in self.lengths or len(self.calling_code + national) > MAX_DIGITS:
            return None
        return E164(self.calling_code, national)


@lru_cache(maxsize=1110)  # all that one to three digits can be
def _calling_code_plan(calling_code: str) -> _CallingCodePlan | None:
    if calling_code.startswith("0"):
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code))
    if not regions:
        return None
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(calling_code), regions[0])
    assert metadata is not None, "the library lists what it has"
    assert metadata.general_desc is not None, "every calling code has lengths"
    lengths = frozenset(metadata.general_desc.possible_length)
    prefix = TrunkPrefix(metadata) if metadata.national_prefix_for_parsing else None
    return _CallingCodePlan(calling_code, lengths, prefix)


@lru_cache(maxsize=4096)
def country_of(e164: str) -> str | None:
    """ISO 3166 code of the country that a number belongs to, area codes and ranges considered; None: unknown.

    `+1` is told apart by area code, `+7`, `+39`, `+44`, … by range. Networks without a country, such as
    satellites, are `001`.
    """
    number = parse_e164(e164)
    if number is None:
        return None
    return phonenumbers.region_code_for_number(phonenumbers.parse(number.e164))


def format_for(e164: str, writing: NumberFormat = PLUS) -> str:
    """An E.164 number as a trunk wants it: the inverse of the configured reading in `normalise`."""
    digits = e164.removeprefix("+")
    if writing.style is NumberStyle.PLUS:
        written = f"+{digits}"
    elif writing.style is NumberStyle.DIGITS:
        written = digits
    elif writing.style is NumberStyle.PREFIXED:
        written = writing.access_code + digits
    else:
        written = _as_dialled_in(writing.country, e164)
    return writing.tech_prefix + written


def _as_dialled_in(country: str, e164: str) -> str:
    written = phonenumbers.format_out_of_country_calling_number(phonenumbers.parse(e164), country)
    return "".join(filter(str.isdecimal, written))
