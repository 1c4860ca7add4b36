"""SDP for those who use it: session descriptions (RFC 8866), and offers and answers (RFC 3264)."""

from gateway.media.carried_stream import NotAcceptable, check_host
from gateway.media.offer_answer import Capabilities, Negotiated, apply_answer, make_answer, make_offer
from gateway.media.session_description import Direction, MalformedSdp, SessionDescription

__all__ = [
    "Capabilities",
    "Direction",
    "MalformedSdp",
    "Negotiated",
    "NotAcceptable",
    "SessionDescription",
    "apply_answer",
    "check_host",
    "make_answer",
    "make_offer",
]
