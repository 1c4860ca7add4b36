"""Numbers in lists that people keep: international, or as they are dialled in the workspace's country."""

from gateway.routing.number import E164, MAX_RAW, SEPARATORS, NumberFormat, NumberStyle, normalise, parse_e164
from gateway.routing.typed import cleaned, perhaps_meant, strange_in

RIGHT = "should be a possible international number with its plus, such as +442079460018"
OR_LOCAL = ", or one as it is dialled in {country}"
NO_COUNTRY = "; without a plus it is not clear which country it is in, as long as there is no default country"
ACCESS_CODE = "00"


class NoNumber(ValueError):
    """A text has no one meaning as a telephone number; the message says what would be right."""


def read_number(text: str, country: str | None = None) -> E164:
    """The number that a text stands for, where that is clear; `NoNumber` otherwise.

    With a plus, or behind 00, it is international. Otherwise it is one of the `country`, an ISO 3166 code, as
    it is dialled there; where there is none, only what was perhaps meant is said.
    """
    plain = cleaned(text[: 4 * MAX_RAW]).translate(SEPARATORS)
    number = _international(plain) if plain.startswith(("+", ACCESS_CODE)) else _local(plain, country)
    if number is None or len(plain) > MAX_RAW:
        raise NoNumber(_right(plain, text, country))
    return number


def _international(plain: str) -> E164 | None:
    return parse_e164(f"+{plain.removeprefix('+').removeprefix(ACCESS_CODE)}")


def _local(plain: str, country: str | None) -> E164 | None:
    if country is None:
        return None
    readings = normalise(plain, NumberFormat(NumberStyle.NATIONAL, country=country)).readings
    return None if not readings or readings[0].lenient else parse_e164(readings[0].e164)


def _right(plain: str, text: str, country: str | None) -> str:
    right = RIGHT + ("" if country is None else OR_LOCAL.format(country=country))
    strange = strange_in(text)
    if strange:
        return f"{right}, and not with {strange}"
    meant = normalise(perhaps_meant(plain)).readings
    if meant:
        return f"{right}; did you mean {meant[0].e164}?"
    return f"{right}{NO_COUNTRY}" if country is None and plain.isdecimal() and len(plain) > 6 else right
