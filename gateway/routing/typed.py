"""Telephone numbers as people type and paste them: out of a web page, a chat, a spreadsheet, another script.

What nobody sees is dropped, and what has one meaning is written the plain way: digits of any script, every
sort of dash, space and plus. A letter that only looks like a digit is never taken for it, since whoever
guesses wrong calls a stranger: it is named, with what was perhaps meant.
"""

import unicodedata
from functools import lru_cache

_LOOKS_LIKE = {
    **dict.fromkeys("Oo\N{GREEK CAPITAL LETTER OMICRON}\N{GREEK SMALL LETTER OMICRON}", "0"),
    **dict.fromkeys("\N{CYRILLIC CAPITAL LETTER O}\N{CYRILLIC SMALL LETTER O}", "0"),
    **dict.fromkeys("Il|\N{LATIN SMALL LETTER DOTLESS I}\N{GREEK CAPITAL LETTER IOTA}", "1"),
    **dict.fromkeys("\N{CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I}\N{CYRILLIC LETTER PALOCHKA}", "1"),
    "\N{CYRILLIC CAPITAL LETTER ZE}": "3",
    "\N{CYRILLIC SMALL LETTER ZE}": "3",
}
"Letters that look like a digit in most typefaces."
_PLAIN = {
    "\N{MINUS SIGN}": "-",
    "\N{HYPHEN BULLET}": "-",
    "\N{MIDDLE DOT}": ".",
    "\N{BULLET}": ".",
    "\N{BULLET OPERATOR}": ".",
    "\N{DOT OPERATOR}": ".",
    "\N{FRACTION SLASH}": "/",
    "\N{DIVISION SLASH}": "/",
    "\N{HEAVY PLUS SIGN}": "+",
}
"Signs that stand for one of a number's own, and that no normal form says so of."
_UNSEEN = {"Cf", "Mn", "Me"}
"Zero width, bidi marks, soft hyphens, variation selectors: of no width of their own."


@lru_cache(maxsize=1024)
def cleaned(text: str) -> str:
    """The text without what nobody sees, in plain characters where their meaning is clear."""
    if text.isascii():
        return text.strip()
    return "".join(map(_plain, text)).strip()


def _plain(char: str) -> str:
    if char.isascii():
        return char
    kind = unicodedata.category(char)
    if kind in _UNSEEN:
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if kind == "Zs":
        return " "
    if kind == "Pd":
        return "-"
    compatible = unicodedata.normalize("NFKC", char)
    return _PLAIN.get(char, compatible if compatible.isascii() and not compatible.isalpha() else char)


def strange_in(text: str) -> str:
    """What no telephone number has, by its Unicode name: `CYRILLIC SMALL LETTER O (U+043E)`; or nothing."""
    strange = next((char for char in cleaned(text) if char not in _OF_NUMBERS), None)
    if strange is None:
        return ""
    name = unicodedata.name(strange, "a control character")
    perhaps = f", perhaps for {_LOOKS_LIKE[strange]}" if strange in _LOOKS_LIKE else ""
    return f"{name} (U+{ord(strange):04X}){perhaps}"


_OF_NUMBERS = frozenset("+0123456789*# -.()/\t\N{NO-BREAK SPACE}")


def perhaps_meant(text: str) -> str:
    """The text with digits in the place of letters that look like them: to be asked about, never called."""
    return "".join(_LOOKS_LIKE.get(char, char) for char in cleaned(text))
