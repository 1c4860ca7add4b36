"""TwiML as bots send it, and as nobody should."""

import pytest

from gateway.agent.protocol import Hangup, Transfer
from gateway.agent.twiml import MAX_TWIML, BadTwiml, read_twiml

TO = "+14155550123"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("<Response><Hangup/></Response>", Hangup("")),
        ("<Response/>", Hangup("")),
        (f"<Response><Dial>{TO}</Dial></Response>", Transfer(TO, None, 30, None)),
        (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><!-- on --><Dial timeout="20" '
            f'callerId="+1212" timeLimit="600" answerOnBridge="true"> {TO}\n</Dial><Hangup/></Response>',
            Transfer(TO, "+1212", 20, 600),
        ),
        (f"\n<Response><Dial><Number>{TO}</Number></Dial></Response>\n", Transfer(TO, None, 30, None)),
    ],
)
def test_what_is_meant(text: str, meant: object) -> None:
    """The first verb counts, with the attributes that mean something here."""
    assert read_twiml(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no XML"),
        ("<Response>", "no XML"),
        ("<Response>\x00</Response>", "no XML"),
        ("<Dial>+1</Dial>", "not <Response>"),
        ("<Response><Say>Bye</Say></Response>", "<Say> is not done here"),
        (f"<Response><Dial>{TO}</Dial><Say>Bye</Say></Response>", "nothing but <Hangup>"),
        (f'<Response><Dial action="http://x/">{TO}</Dial></Response>', "<Dial action>"),
        (f'<Response><Dial timeout="1">{TO}</Dial></Response>', "5 to 600"),
        (f'<Response><Dial timeout="\u0663\u0660">{TO}</Dial></Response>', "5 to 600"),
        ("<Response><Dial></Dial></Response>", "one number"),
        ("<Response><Dial><Sip>sip:a@b</Sip></Dial></Response>", "<Sip>"),
        ("<Response><Dial><Number>+1</Number><Number>+2</Number></Dial></Response>", "one number"),
        ('<Response><Dial><Number url="http://x/">+1</Number></Dial></Response>', "without attributes"),
        ('<!DOCTYPE r [<!ENTITY a "b">]><Response><Dial>&a;</Dial></Response>', "not read"),
        ('<!DOCTYPE r SYSTEM "file:///etc/passwd"><Response/>', "not read"),
        ("<Response><Dial><![CDATA[+1]]></Dial></Response>", "not read"),
        ("<Response><?php 1?></Response>", "not read"),
        ("<Response>&nbsp;</Response>", "no XML"),
        ("<Response>" + " " * MAX_TWIML + "</Response>", "characters"),
        ("<a>" * 1000, "no XML"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    """It is said what is wrong; nothing is fetched, and nothing grows."""
    with pytest.raises(BadTwiml, match=why):
        read_twiml(text)
