"""The E-model (ITU-T G.107): what people would say of a connection, estimated from what it does to audio.

Every parameter that a gateway cannot know stands at the default of table 3 of the recommendation: a handset
in a quiet room. What it does know comes in: delay, loss, how bursty the loss is, and the codec.
"""

from dataclasses import dataclass
from functools import cache
from math import exp, log2, log10, sqrt

_SLR, _RLR, _STMR, _LSTR, _DS, _DR = 8.0, 2.0, 15.0, 18.0, 3.0, 3.0
"Loudness ratings and the sidetone of the handset, in dB; `D` values of the telephones."
_TELR, _WEPL, _QDU = 65.0, 110.0, 1.0
"Talker echo, weighted echo path loss, quantising distortion units."
_NC, _NFOR, _PS, _PR = -70.0, -64.0, 35.0, 35.0
"Circuit noise in dBm0p, noise floor, room noise at both sides in dB(A)."
_OLR = _SLR + _RLR


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec does to speech (ITU-T G.113 appendix I)."""

    equipment: float
    "Ie, without loss."
    robustness: float
    "Bpl: the greater, the less a lost packet hurts."


G711_CONCEALED = Impairment(0.0, 25.1)
"G.711 whose losses are concealed by repeating the pitch period (its appendix I), in packets of 10 to 20 ms."
G711_BARE = Impairment(0.0, 4.3)
"G.711 with silence in the place of what is lost: what is assumed of a peer of which nothing is known."


def rating(
    *,
    one_way_ms: float = 0.0,
    loss_percent: float = 0.0,
    burst_ratio: float = 1.0,
    codec: Impairment = G711_CONCEALED,
) -> float:
    """The transmission rating factor R: 93.2 for a perfect connection, below 50 nobody wants to talk.

    `burst_ratio` is 1 where packets are lost at random, more where they are lost in runs (`LossRuns`).
    """
    ratio = _signal_to_noise()
    delay = max(0.0, one_way_ms)
    impairments = _simultaneous(ratio, delay) + _delayed(ratio, delay)
    return ratio - impairments - _equipment(loss_percent, burst_ratio, codec)


def mean_opinion(r: float) -> float:
    """The mean opinion score, 1 to 4.5, that a rating stands for (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    # The cubic dips below 1 for the smallest ratings, where the recommendation says 1.
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _equipment(loss_percent: float, burst_ratio: float, codec: Impairment) -> float:
    """Ie,eff: the codec and the loss (clause 7.5)."""
    loss = min(max(loss_percent, 0.0), 100.0)
    spread = loss / max(1.0, burst_ratio) + codec.robustness
    return codec.equipment + (95 - codec.equipment) * loss / spread


@cache
def _signal_to_noise() -> float:
    """Ro (clause 7.2)."""
    return 15 - 1.5 * (_SLR + _noise())


@cache  # the default room: a constant, which each rating asks for four times
def _noise() -> float:
    """No: all noise, as at the receiver's end, in dBm0p."""
    sender = _PS - _SLR - _DS - 100 + 0.004 * (_PS - _OLR - _DS - 14) ** 2
    room = _PR + 10 * log10(1 + 10 ** ((10 - _LSTR) / 10))
    receiver = _RLR - 121 + room + 0.008 * (room - 35) ** 2
    powers = [10 ** (level / 10) for level in (_NC, sender, receiver, _NFOR + _RLR)]
    return 10 * log10(sum(powers))


def _simultaneous(ratio: float, delay: float) -> float:
    """Is: what comes along with the voice – loudness, sidetone, quantising (clause 7.3)."""
    loud = _OLR + 0.2 * (64 + _noise() - _RLR)
    too_loud: float = 20 * ((1 + (loud / 8) ** 8) ** (1 / 8) - loud / 8)
    tone = -10 * log10(10 ** (-_STMR / 10) + exp(-delay / 4) * 10 ** (-_TELR / 10))
    sidetone: float = (
        12 * (1 + ((tone - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((tone + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((tone - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    q = 37 - 15 * log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ratio - 100) / 15 + 46 / 8.4 - g / 9
    quantising = 15 * log10(1 + 10**y + 10 ** (46 / 30 - g / 40))
    return too_loud + sidetone + quantising


def _delayed(ratio: float, delay: float) -> float:
    """Id: echo to the talker, echo to the listener, and the delay itself (clause 7.4)."""
    return _talker_echo(delay) + _listener_echo(ratio, 2 * delay) + _absolute_delay(delay)


def _talker_echo(delay: float) -> float:
    rating_of_noise = -1.5 * (_noise() - _RLR)
    loss = _TELR - 40 * log10((1 + delay / 10) / (1 + delay / 150)) + 6 * exp(-0.3 * delay**2)
    half = (rating_of_noise - (80 + 2.5 * (loss - 14))) / 2
    return (half + sqrt(half**2 + 100) - 1) * (1 - exp(-delay))


def _listener_echo(ratio: float, round_trip: float) -> float:
    half: float = (ratio - 10.5 * (_WEPL + 7) * (round_trip + 1) ** -0.25) / 2
    return half + sqrt(half**2 + 169)


def _absolute_delay(delay: float) -> float:
    if delay <= 100:
        return 0.0
    x = log2(delay / 100)
    impairment: float = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return impairment
