"""Who calls, and whether that may be told, as a request says it (RFC 3261, 3323, 3325, 3966)."""

import pytest

from gateway.call.legs.sip_words import asserted_in, caller_in, dialled, is_private
from gateway.sip.message import Request, parse_message


def invite(*lines: str, uri: str = "sip:+12025550101@gw.example") -> Request:
    """An INVITE with these header lines."""
    given = [f"INVITE {uri} SIP/2.0", "Call-ID: 1", "CSeq: 1 INVITE", *lines]
    request = parse_message("".join(f"{line}\r\n" for line in (*given, "")).encode())
    assert isinstance(request, Request)
    return request


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        (["<sip:+12025550199@carrier.example>"], ["+12025550199"]),
        (["sip:+12025550199@carrier.example"], ["+12025550199"]),
        (["sip:+12025550199@carrier.example;user=phone"], ["+12025550199"]),
        (['"A, <B>" <sip:+12025550199@c.example;user=phone>;x=1'], ["+12025550199"]),
        (["Alice <tel:+1-202-555-0199>"], ["+1-202-555-0199"]),
        (["<tel:+12025550199>, <sip:alice@c.example>"], ["+12025550199", "alice"]),
        (["<sip:alice@c.example>", "<tel:+12025550199>"], ["alice", "+12025550199"]),
        (["<tel:2025550199;phone-context=+1>"], ["2025550199;phone-context=+1"]),
        (["<sip:2025550199;phone-context=+1@c.example>"], ["2025550199;phone-context=+1"]),
        (["<sip:%2B12025550199@c.example>"], ["+12025550199"]),
        (["+12025550199"], ["+12025550199"]),
        (["<sip:broken", "<tel:+12025550199>"], ["+12025550199"]),
        (['"open, <tel:+1202>', "<tel:+12025550199>"], ["+12025550199"]),
        (["<http://nobody.example>", "<tel:+12025550199>"], ["+12025550199"]),
        (["", "<sip:c.example>"], []),
    ],
)
def test_asserted_identities(lines: list[str], numbers: list[str]) -> None:
    """Each value of each line that can be read, in order, in every form of an address."""
    assert asserted_in(invite(*[f"P-Asserted-Identity: {line}" for line in lines])) == numbers


def test_they_are_bounded() -> None:
    """A header full of them is no list to go through."""
    line = ", ".join(f"<tel:+1202555{number:04}>" for number in range(40))
    assert len(asserted_in(invite(*[f"P-Asserted-Identity: {line}"] * 3))) == 8


@pytest.mark.parametrize(
    ("lines", "private"),
    [
        (["id"], True),
        (["ID"], True),
        (["id;critical"], True),
        (["header; id"], True),
        (["user"], True),
        (["header", "id"], True),
        (["id, header"], True),
        ([" id "], True),
        (["none"], False),
        (["header;session"], False),
        (["critical"], False),
        (["identity"], False),
        ([], False),
    ],
)
def test_privacy(lines: list[str], private: bool) -> None:
    """`id` and `user` ask for the caller not to be told, in any writing of the list."""
    assert is_private(invite(*[f"Privacy: {line}" for line in lines])) is private


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("<tel:2025550101;phone-context=+1>;tag=1", "2025550101;phone-context=+1"),
        ("tel:2025550101;phone-context=+1;tag=1", "2025550101;phone-context=+1"),
        ("<tel:+12025550101;phone-context=+1>", "+12025550101"),
        ("<tel:2025550101;phone-context=carrier.example>", "2025550101;phone-context=carrier.example"),
        ('""Unknown"" <sip:+12025550101@c.example>;tag=1', ""),
        ("<sip:c.example>", ""),
        ("<mailto:a@b.example>", ""),
    ],
)
def test_the_caller(line: str, number: str) -> None:
    """As it was written, with what it is local to; nothing where nobody can read it."""
    assert caller_in(invite(f"From: {line}")) == number


def test_the_called_number_of_a_tel_uri() -> None:
    """Its context comes along."""
    assert dialled(invite(uri="tel:2025550101;phone-context=+1")) == "2025550101;phone-context=+1"
