"""What trunks, numbers, versions and workspaces are configured with: choices, secrets, increments."""

from dataclasses import dataclass
from enum import StrEnum


class Secret:
    """A password or token that shows itself only when asked, so that no log or traceback ever has it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the digest, the signature or the encrypted column, nowhere else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('********')"

    __str__ = __repr__


class TrunkAuthMode(StrEnum):
    """How we prove ourselves to a trunk that we dial through."""

    USERPASS = "userpass"
    "By digest credentials."
    IP = "ip"
    "By our signalling address, which the carrier has in its list."


class NumberStatus(StrEnum):
    """Whether a number is ready for production routing."""

    PENDING = "pending"
    ACTIVE = "active"
    UNAVAILABLE = "unavailable"


class RentalStatus(StrEnum):
    """Whether a number is paid for."""

    ACTIVE = "active"
    EXPIRED = "expired"
    AVAILABLE = "available"
    "Given back: free for reassignment."


class VersionState(StrEnum):
    """A draft can change and takes no calls; a published version takes calls and never changes."""

    DRAFT = "draft"
    PUBLISHED = "published"


class Dialect(StrEnum):
    """What the agent's runtime speaks."""

    TWILIO = "twilio"
    NATIVE = "native"
    PLIVO = "plivo"
    TELNYX = "telnyx"
    EXOTEL = "exotel"
    ASTERISK = "asterisk"
    AUDIOSOCKET = "audiosocket"
    SIP = "sip"
    "The runtime is a SIP endpoint: a second dialog, RTP instead of messages."


class RecordingMode(StrEnum):
    """Which calls are recorded."""

    OFF = "off"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BOTH = "both"
    ON_DEMAND = "on_demand"
    "Those for which the agent, or somebody by the API, asks for it."


@dataclass(frozen=True, slots=True)
class Increment:
    """How connected time is rounded up for billing: `60/60` bills whole minutes, `6/6` tenths of one."""

    first: int = 60
    "Seconds that every answered call costs at least."
    further: int = 60
    "Seconds of each step after them."

    def __post_init__(self) -> None:
        if self.first < 1 or self.further < 1:
            raise ValueError(f"billing increments are seconds from 1 up, not {self.first}/{self.further}")

    @classmethod
    def parse(cls, text: str) -> "Increment":
        """Read `60/60` or `30`; ValueError where it is neither."""
        first, _, further = text.partition("/")
        if not first.isdecimal() or not (further or first).isdecimal():
            raise ValueError(f"a billing increment is written 60/60, not {text!r}")
        return cls(int(first), int(further or first))

    def __str__(self) -> str:
        return f"{self.first}/{self.further}"
