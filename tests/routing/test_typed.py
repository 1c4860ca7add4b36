"""Numbers as they are pasted: cleaned where the meaning is clear, else what is wrong has its name."""

import unicodedata

import pytest

from gateway.routing.number import SEPARATORS, parse_e164
from gateway.routing.typed import cleaned, perhaps_meant, strange_in

E164 = "+14155550100"


@pytest.mark.parametrize(
    "pasted",
    [
        "+1 (415) 555-0100",
        "\ufeff+14155550100",
        "\u202a+1 415-555-0100\u202c",
        "\u200e+1\u200b4155550100\u2060",
        "+1415\u00ad5550100",
        "+1\u00a0415\u202f555\u20090100",
        "+1\u2011415\u2013555\u20140100",
        "+1\u2212415\ufe63555\uff0d0100",
        "\uff0b\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
        "+\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "+\u06f1\u06f4\u06f1\u06f5\u06f5\u06f5\u06f5\u06f0\u06f1\u06f0\u06f0",
        "+\u0967\u096a\u0967\u096b\u096b\u096b\u096b\u0966\u0967\u0966\u0966",
        "+1\ufe0f4\ufe0f155550100",
        "+1\u00b7415\u2022555\u22190100",
        "\uff0b1\uff08415\uff09555\uff0e0100",
        "\ufe62\u00a01\u3000415\u3000555\u30000100",
        "\t+14155550100\n",
    ],
)
def test_what_is_clear_is_cleaned(pasted: str) -> None:
    """Invisible characters go; digits, dashes, spaces and pluses of any script are the plain ones."""
    number = parse_e164(cleaned(pasted).translate(SEPARATORS))
    assert number is not None
    assert number.e164 == E164
    assert strange_in(pasted) == ""


@pytest.mark.parametrize(
    ("pasted", "named", "perhaps"),
    [
        ("+1415555O100", "LATIN CAPITAL LETTER O (U+004F), perhaps for 0", True),
        ("+14155550l00", "LATIN SMALL LETTER L (U+006C), perhaps for 1", True),
        ("+1415555\u041e100", "CYRILLIC CAPITAL LETTER O (U+041E), perhaps for 0", True),
        ("+1415555\u043e100", "CYRILLIC SMALL LETTER O (U+043E), perhaps for 0", True),
        ("+1415555\u03bf100", "GREEK SMALL LETTER OMICRON (U+03BF), perhaps for 0", True),
        ("+14155550\u04c0" + "00", "CYRILLIC LETTER PALOCHKA (U+04C0), perhaps for 1", True),
        ("+1415FLOWERS", "LATIN CAPITAL LETTER F (U+0046)", False),
        ("+1415555\u4e00100", "CJK UNIFIED IDEOGRAPH-4E00 (U+4E00)", False),
        ("+1415555\U0001f4de100", "TELEPHONE RECEIVER (U+1F4DE)", False),
        ("+1415555\x01100", "a control character (U+0001)", False),
    ],
)
def test_what_only_looks_like_a_digit_is_named(pasted: str, named: str, perhaps: bool) -> None:
    """It is no digit, and what it stands for is asked, not guessed."""
    assert strange_in(pasted) == named
    assert parse_e164(cleaned(pasted).translate(SEPARATORS)) is None
    assert (parse_e164(perhaps_meant(pasted)) is not None) == perhaps


def test_every_digit_there_is() -> None:
    """Of each script."""
    for code in range(0x110000):
        if unicodedata.category(chr(code)) == "Nd":
            assert cleaned(chr(code)) == str(unicodedata.decimal(chr(code)))
