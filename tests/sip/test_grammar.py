"""The shared parts of the grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import (
    MAX_LIST,
    MAX_PARAMS,
    find_param,
    format_host_port,
    format_params,
    is_token,
    leading_quoted_string,
    parse_host_port,
    parse_number,
    parse_params,
    parse_quoted_or_token,
    quote,
    set_param,
    split_lists,
    split_outside,
    unquote,
)

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "))


@pytest.mark.parametrize("text", ["INVITE", "!interesting-Method0123456789_*+`.%indeed'~", "1"])
def test_tokens(text: str) -> None:
    """Letters, digits and the ten marks of RFC 3261 make a token."""
    assert is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a\r\n", "é", "a\0", "<a>", "١"])
def test_what_is_no_token(text: str) -> None:
    """Nothing else does, not even digits of other scripts."""
    assert not is_token(text)


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    """A comma in a quoted string or a bracketed URI does not end an element."""
    text = '"A, \\"B, " <sip:a,b@c> , <sip:d?e=f,g>;h="i,j",k'
    assert split_outside(text, ",") == ['"A, \\"B, " <sip:a,b@c>', '<sip:d?e=f,g>;h="i,j"', "k"]


@pytest.mark.parametrize("text", ['"a', 'a"', '"a\\"', "<a", 'a,"b', '"a" "', "<a<b>"])
def test_unbalanced_quotes_and_brackets_are_refused(text: str) -> None:
    """Where a quote or bracket is never closed, nobody can say where the element ends."""
    with pytest.raises(RemoteProtocolError, match="unbalanced"):
        split_outside(text, ",")


@pytest.mark.parametrize("element", ["a", '"a"', "<sip:a@b>"])
def test_lists_are_bounded(element: str) -> None:
    """A list may have MAX_LIST elements, in one line or in many."""
    full = [element] * MAX_LIST
    assert split_outside(",".join(full), ",") == split_lists(full) == full
    with pytest.raises(RemoteProtocolError, match="too many"):
        split_outside(",".join([*full, element]), ",")
    with pytest.raises(RemoteProtocolError, match="too many"):
        split_lists([*full, element])


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", ()),
        (";lr", (("lr", None),)),
        (";tag=1;LR", (("tag", "1"), ("LR", None))),
        (" ;  tag  =  1 ; lr ", (("tag", "1"), ("lr", None))),
        (';a="x;y, \\"z"', (("a", '"x;y, \\"z"'),)),
        (";received=2001:db8::1;maddr=[::1]", (("received", "2001:db8::1"), ("maddr", "[::1]"))),
        (";branch=z9hG4bK+a/b==", (("branch", "z9hG4bK+a/b=="),)),
        (';a="работающий"', (("a", '"работающий"'),)),
    ],
)
def test_parameters(text: str, params: tuple[tuple[str, str | None], ...]) -> None:
    """Parameters are a name, or a name and a word, address or quoted string, with any white space."""
    assert parse_params(text.lstrip()) == params


@pytest.mark.parametrize(
    "text",
    [
        ";",
        ";;",
        ";a;",
        ";=1",
        ";a=",
        ";a =",
        ";a b",
        ";a=b c",
        "a",
        ' a;b="c"',
        ';a="b"c',
        ';a="b\0"',
        ";é=1",
        ";a=é",
    ],
)
def test_malformed_parameters(text: str) -> None:
    """Empty parameters, names or values, and words where none belong, are refused."""
    with pytest.raises(RemoteProtocolError):
        parse_params(text)


@pytest.mark.parametrize("param", [";a", ";a=b", "; a", ';a="b"'])
def test_parameters_are_bounded(param: str) -> None:
    """A value may have MAX_PARAMS parameters."""
    assert len(parse_params(param * MAX_PARAMS)) == MAX_PARAMS
    with pytest.raises(RemoteProtocolError, match="too many"):
        parse_params(param * (MAX_PARAMS + 1))


def test_parameters_are_found_whatever_their_case() -> None:
    """A parameter's value comes without quotes: "" for a bare name, None for an absent one."""
    params = parse_params(';Tag="a\\"b";LR')
    assert find_param(params, "tag") == 'a"b'
    assert find_param(params, "lr") == ""
    assert find_param(params, "maddr") is None


def test_a_parameter_is_replaced_where_it_stands() -> None:
    """Setting a parameter keeps the order and the spelling; a new one goes to the end."""
    params = parse_params(";branch=1;RPORT;alias")
    assert format_params(set_param(params, "rport", "5060")) == ";branch=1;RPORT=5060;alias"
    assert format_params(set_param(params, "received", "::1")) == ";branch=1;RPORT;alias;received=::1"


@given(PRINTABLE)
def test_quoting_is_undone_by_unquoting(text: str) -> None:
    """Whatever a quoted string is made of is what it says."""
    assert unquote(quote(text)) == text
    assert leading_quoted_string(quote(text) + " rest") == (text, " rest")
    assert parse_quoted_or_token(quote(text)) == text


def test_control_characters_are_not_passed_on() -> None:
    """A quoted string may escape control characters; what it says has spaces instead."""
    assert unquote('"BEL:\\\a NUL:\\\0 CR:\\\r\\\n"') == "BEL:  NUL:  CR:  "


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("0009", 9), ("4294967295", 2**32 - 1)])
def test_numbers(text: str, number: int) -> None:
    """Digits make a number, with as many zeros before them as somebody likes."""
    assert parse_number(text, 2**32 - 1) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", " 1", "٣", "²", "0x1", "4294967296", "9" * 5000, "0" * 50]
)
def test_what_is_no_number(text: str) -> None:
    """Signs, other scripts' digits and what does not fit are refused."""
    with pytest.raises(RemoteProtocolError):
        parse_number(text, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Example.COM", ("example.com", None, "")),
        ("example.com.:5060;a", ("example.com.", 5060, ";a")),
        ("192.0.2.1:5060", ("192.0.2.1", 5060, "")),
        ("[2001:DB8::1]:5061", ("2001:db8::1", 5061, "")),
        ("[2001:0DB8:0:0::0001]", ("2001:db8::1", None, "")),
        ("host : 5060 ;a", ("host", 5060, " ;a")),
        ("under_score-1.a9", ("under_score-1.a9", None, "")),
        ("3f2a9c01b2", ("3f2a9c01b2", None, "")),
    ],
)
def test_hosts_and_ports(text: str, parts: tuple[str, int | None, str]) -> None:
    """Hosts are names, with what names in the field are made of, or addresses of either family."""
    assert parse_host_port(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5060",
        "999.999.999.999",
        "1.2.3",
        "1",
        "[::1",
        "[1.2.3.4]",
        "[:::]",
        "-a",
        ".a",
        "a..b",
        "a" * 256,
        "a:0",
        "a:65536",
        "a:9999999999",
    ],
)
def test_malformed_hosts_and_ports(text: str) -> None:
    """Numbers that are no address, empty labels and impossible ports are refused."""
    with pytest.raises(RemoteProtocolError):
        parse_host_port(text)


@pytest.mark.parametrize(
    ("host", "port"), [("a.b", None), ("192.0.2.1", 1), ("::1", None), ("2001:db8::1", 5060)]
)
def test_hosts_and_ports_round_trip(host: str, port: int | None) -> None:
    """What is written is read as the same, and IPv6 addresses get their brackets."""
    assert parse_host_port(format_host_port(host, port)) == (host, port, "")
