"""The numbers that the peers call, and what stands behind each."""

from dataclasses import dataclass

ECHO = "+12125550101"
"An agent that says what it hears, in the Twilio dialect."
NATIVE = "+12125550102"
"The same in our own dialect, at 16 kHz."
BYE = "+12125550103"
"An agent that hangs up after a second."
SLOW = "+12125550104"
"An agent that lets the caller ring for two seconds."
REFUSE = "+12125550105"
"An agent whose runtime answers every connection with 503."
DIE = "+12125550106"
"An agent whose runtime vanishes after a second."
DIGEST = "+12125550107"
"An echo on a trunk that has to show credentials."
PIPECAT = "+12125550108"
"An unmodified Pipecat bot."
PIPECAT_BYE = "+12125550109"
"A Pipecat bot that says goodbye."
NATIVE_8K = "+12125550110"
"An echo in our own dialect, in μ-law."
DIALECTS = ("twilio", "plivo", "telnyx", "exotel")
"What Pipecat finds out by itself."
PIPECAT_ANY = {name: f"+1212555012{n}" for n, name in enumerate(DIALECTS)}
"Unmodified Pipecat bots that are not told which dialect comes."
PIPECAT_ANY_BYE = {name: f"+1212555013{n}" for n, name in enumerate(DIALECTS)}
"The same, saying goodbye."
PIPECAT_ANY_INTERRUPT = {name: f"+1212555014{n}" for n, name in enumerate(DIALECTS)}
"The same, interrupted in the middle of what they say."
PIPECAT_REST = "+12125550151"
"A Pipecat bot that says goodbye by our copy of Twilio's API."
PLIVO_SDK = "+12125550150"
"A bot on Plivo's own SDK."
UNASSIGNED = "+12125550111"
"A number that no agent answers yet."
NOBODY = "+12125550199"
"A number that nobody has."

PLAIN_SOURCE = "127.0.0.1"
"Where the trunk without credentials calls from."
DIGEST_SOURCE = "127.0.0.2"
"Where the trunk with credentials calls from."
UNKNOWN_SOURCE = "127.0.0.9"
"An address that no trunk names."

USERNAME = "carrier"
PASSWORD = "a carrier's password"
SECRET = "dummy"
"What the bots have for an auth token."

WORKSPACE = "interop"


@dataclass(frozen=True, slots=True)
class Line:
    """A number, and the agent behind it."""

    number: str
    path: str
    dialect: str = "twilio"
    audio: str = "ulaw_8k"
    trunk: str = "plain"
    secret: str = ""


LINES = (
    Line(ECHO, "twilio/echo"),
    Line(NATIVE, "native/echo", "native", "l16_16k"),
    Line(NATIVE_8K, "native/echo", "native"),
    Line(BYE, "twilio/bye/1"),
    Line(SLOW, "twilio/slow/2"),
    Line(REFUSE, "twilio/refuse"),
    Line(DIE, "twilio/die/1"),
    Line(DIGEST, "twilio/echo", trunk="digest"),
)
BOTS = (
    Line(PIPECAT, "ws"),
    Line(PIPECAT_BYE, "bye"),
    Line(PIPECAT_REST, "rest", secret=SECRET),
    *(Line(number, "any", name) for name, number in PIPECAT_ANY.items()),
    *(Line(number, "any/bye", name) for name, number in PIPECAT_ANY_BYE.items()),
    *(Line(number, "any/interrupt", name) for name, number in PIPECAT_ANY_INTERRUPT.items()),
)


def seed(agent_port: int, pipecat_port: int, plivo_port: int) -> str:
    """A seed file: one workspace, two trunks, a number and an agent for each line."""
    text = f'[[workspaces]]\nname = "{WORKSPACE}"\n'
    text += _trunk("plain", f'{PLAIN_SOURCE}", "::1')
    text += _trunk("digest", DIGEST_SOURCE, f'username = "{USERNAME}"\npassword = "{PASSWORD}"\n')
    text += "".join(_line(line, agent_port) for line in LINES)
    text += "".join(_line(line, pipecat_port) for line in BOTS)
    text += _line(Line(PLIVO_SDK, "stream", "plivo"), plivo_port)
    return text + _unassigned()


def _trunk(name: str, source: str, more: str = "") -> str:
    return f'\n[[trunks]]\nworkspace = "{WORKSPACE}"\nname = "{name}"\nsources = ["{source}"]\n{more}'


def _line(line: Line, port: int) -> str:
    secret = f'secret = "{line.secret}"' if line.secret else ""
    return f"""
[[agents]]
workspace = "{WORKSPACE}"
name = "agent {line.number}"

[[agents.versions]]
runtime_url = "ws://127.0.0.1:{port}/{line.path}"
dialect = "{line.dialect}"
audio = "{line.audio}"
{secret}
state = "published"

[[numbers]]
workspace = "{WORKSPACE}"
e164 = "{line.number}"
trunk = "{line.trunk}"
sip_trunk_enabled = true
inbound = "agent {line.number}/1"
"""


def _unassigned() -> str:
    return f"""
[[numbers]]
workspace = "{WORKSPACE}"
e164 = "{UNASSIGNED}"
trunk = "plain"
sip_trunk_enabled = true
"""
