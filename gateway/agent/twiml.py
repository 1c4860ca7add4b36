"""As much of TwiML as a bot sends to end or to transfer its call; what is not done is refused by name."""

import re
from xml.etree import ElementTree as Xml

from gateway.agent.protocol import Hangup, Transfer

__all__ = ["MAX_TWIML", "BadTwiml", "read_twiml"]

MAX_TWIML = 4000
"Characters, as Twilio has it."
RING_SECONDS = 30
"How long `<Dial>` lets it ring that does not say."
MAX_SECONDS = 14_400
DIALS = frozenset({"timeout", "callerId", "timeLimit", "answerOnBridge"})
"What a `<Dial>` may say. The call is answered already, so that the last means nothing."
WHOLE = re.compile(r"[0-9]{1,6}")


class BadTwiml(ValueError):
    """It cannot be read, or asks for what is not done here; the text says which."""


def read_twiml(text: str) -> Hangup | Transfer:
    """What a `<Response>` asks for: its first verb, since none can follow a hang-up or an ended call."""
    response = _parsed(text.strip())
    if response.tag != "Response":
        raise BadTwiml(f"the document is <{response.tag[:40]}>, not <Response>")
    verb = next(iter(response), None)
    # Without a verb there is nothing more to do for the call, and Twilio hangs up.
    if verb is None or verb.tag == "Hangup":
        return Hangup("")
    if verb.tag != "Dial":
        raise BadTwiml(f"<{verb.tag[:40]}> is not done here, only <Dial> and <Hangup>")
    if any(following.tag != "Hangup" for following in list(response)[1:]):
        raise BadTwiml("nothing but <Hangup> can follow a <Dial> here")
    return _dial(verb)


def _parsed(text: str) -> Xml.Element:
    """No document type, so no entity of anybody's own: nothing grows, and nothing is fetched."""
    if len(text) > MAX_TWIML:
        raise BadTwiml(f"it has {len(text)} characters, more than {MAX_TWIML}")
    if "<!" in text.replace("<!--", "") or "<?" in text.removeprefix("<?xml"):
        raise BadTwiml("document types, entities, CDATA and processing instructions are not read")
    try:
        return Xml.fromstring(text)  # noqa: S314 - bounded above, and without any entity
    except (Xml.ParseError, ValueError) as error:
        raise BadTwiml(f"it is no XML: {error}") from error


def _dial(dial: Xml.Element) -> Transfer:
    for name in dial.keys():  # noqa: SIM118 - an Element is no mapping
        if name not in DIALS:
            raise BadTwiml(f"<Dial {name[:40]}> is not done here, only {', '.join(sorted(DIALS))}")
    seconds = _whole(dial, "timeout", 5, 600) or RING_SECONDS
    return Transfer(_number(dial), dial.get("callerId"), seconds, _whole(dial, "timeLimit", 1, MAX_SECONDS))


def _number(dial: Xml.Element) -> str:
    """The text of a `<Dial>`, or of its one `<Number>`."""
    inside = list(dial)
    for noun in inside:
        if noun.tag != "Number" or noun.keys() or len(noun):
            raise BadTwiml(f"<{noun.tag[:40]}> in <Dial> has to be a <Number> without attributes")
    texts = [(element.text or "").strip() for element in (dial, *inside)]
    found = [text for text in texts if text]
    if len(found) != 1 or len(found[0]) > 64:
        raise BadTwiml("<Dial> has to hold one number")
    return found[0]


def _whole(dial: Xml.Element, name: str, least: int, most: int) -> int | None:
    given = dial.get(name)
    if given is None:
        return None
    if not WHOLE.fullmatch(given) or not least <= int(given) <= most:
        raise BadTwiml(f"<Dial {name}> is {least} to {most}")
    return int(given)
