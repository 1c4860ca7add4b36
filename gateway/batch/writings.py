"""Numbers as spreadsheets write them: as text in disguise, with a fraction of nothing, with an exponent."""

import re

from gateway.batch.files.cells import EXACT_DIGITS

_DISPLAYED_DIGITS = 6
"A spreadsheet shows no more of a number of twelve digits and above."
_SHORTENED_FROM = 12

_PLAIN = re.compile(r"[+0-9 ()-]*")
_AS_FORMULA = re.compile(r'="([^"]*)"')
_WITH_FRACTION = re.compile(r"(\+?[0-9]{7,})[.,]0+")
_A_FRACTION = re.compile(r"\+?[0-9]{8,}\.[0-9]{1,2}")
_WITH_EXPONENT = re.compile(r"([+-]?[0-9]+)(?:[.,]([0-9]*))?[eE]\+?([0-9]{1,3})")


class DigitsLost(Exception):
    """A number whose last digits a spreadsheet has thrown away; it says how that is seen."""


def as_meant(text: str, *, is_number: bool) -> str:
    """A number without what a spreadsheet put around it; raises DigitsLost where it is not all there.

    `is_number` is whether the spreadsheet holds it as a number, not as text.
    """
    if is_number:
        return _exact(text)
    if _PLAIN.fullmatch(text):
        return text
    formula = _AS_FORMULA.fullmatch(text)
    if formula is not None:
        text = formula[1].strip()
    elif text[0] == "'":  # how a spreadsheet is told that text follows
        text = text[1:].strip()
    whole = _WITH_FRACTION.fullmatch(text)
    if whole is not None:
        return _kept(whole[1])
    if _A_FRACTION.fullmatch(text):
        return _no_separator(text)
    short = _WITH_EXPONENT.fullmatch(text)
    return text if short is None else _expanded(short, text)


def _exact(text: str) -> str:
    digits = text.strip("+-")
    if "e" in digits.lower() or (digits.isdecimal() and len(digits) > EXACT_DIGITS):
        raise DigitsLost(f"{text} has more digits than the {EXACT_DIGITS} that a spreadsheet keeps")
    if not digits.isdecimal():
        return _no_separator(text)
    if len(digits) >= _SHORTENED_FROM and len(digits.rstrip("0")) <= _DISPLAYED_DIGITS:
        raise DigitsLost(f"{text} ends in zeros, as what was {_shortened(digits)} once")
    return text


def _no_separator(text: str) -> str:
    """A number with a fraction: its dot stands between nothing that is one number."""
    return text.replace(".", ",")


def _kept(digits: str) -> str:
    if len(digits.lstrip("+")) > EXACT_DIGITS:
        raise DigitsLost(f"{digits} has more digits than the {EXACT_DIGITS} that a spreadsheet keeps")
    return digits


def _expanded(short: "re.Match[str]", text: str) -> str:
    """What has an exponent and yet all its digits."""
    fraction, exponent = short[2] or "", int(short[3])
    if len(fraction) < exponent or fraction[exponent:].strip("0"):
        raise DigitsLost(f"{text} has {len(short[1].strip('+-')) + len(fraction)} digits of a longer number")
    return _kept(short[1] + fraction[:exponent])


def _shortened(digits: str) -> str:
    shown = digits.rstrip("0")
    return f"{shown[0]}.{shown[1:]}E+{len(digits) - 1}"
