"""Placeholders in URLs and headers."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.placeholders import fill_headers, fill_url, placeholder_values, unknown_placeholders
from gateway.agent.protocol import CallStart


def test_url_is_filled_in_and_escaped(call: CallStart) -> None:
    """No value reaches out of its place; the call's own facts win over parameters of the same name."""
    call = replace(call, parameters={"tier": "a/b?c=d&e ü", "call_id": "forged"})
    values = placeholder_values(call, "s3/cret")
    filled = fill_url(
        "wss://a.example/{secret}/{call_id}?from={from}&to={to}&t={tier}&v={agent_version}", values
    )
    assert filled == (
        "wss://a.example/s3%2Fcret/call_8d1f?from=%2B442079460018&to=%2B14155550100"
        "&t=a%2Fb%3Fc%3Dd%26e%20%C3%BC&v=3"
    )


def test_headers_have_values_as_they_are(call: CallStart) -> None:
    """But for what would break the line, or is no ASCII."""
    values = placeholder_values(replace(call, from_number="+1\r\nX: ü"), "s")
    filled = fill_headers([("Authorization", "Token {secret}"), ("X-From", "{from};{{}}")], values)
    assert filled == [("Authorization", "Token s"), ("X-From", "+1%0D%0AX: %C3%BC;{}")]


def test_unknown_ones_are_found() -> None:
    """By what was written, braces without their other half too; doubled ones are braces."""
    assert unknown_placeholders("/{call_id}/{tier}/{secret}", ["tier"]) == []
    assert unknown_placeholders("/{callid}/{{x}}/{", []) == ["{callid}", "{"]
    assert unknown_placeholders("}", []) == ["}"]


def test_without_braces_nothing_changes(call: CallStart) -> None:
    """And what is unknown stays: versions from before placeholders mean their braces."""
    values = placeholder_values(call, None)
    assert fill_url("wss://a/%7B?x=%20", values) == "wss://a/%7B?x=%20"
    assert fill_url("wss://a/{other}", values) == "wss://a/{other}"


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_template_raises(template: str, value: str) -> None:
    """Whatever stands there."""
    values = {"from": value}
    fill_url(template, values)
    fill_headers([("X", template)], values)
    unknown_placeholders(template, ["x"])
