"""What came of a send, where one message has to have come."""

from __future__ import annotations

from gateway.sip.message import Request, Response


def only_request(messages: list[Request | Response]) -> Request:
    """The one message, which is a request."""
    (message,) = messages
    assert isinstance(message, Request)
    return message


def only_response(messages: list[Request | Response]) -> Response:
    """The one message, which is a response."""
    (message,) = messages
    assert isinstance(message, Response)
    return message


def last_request(messages: list[Request | Response]) -> Request:
    """The last message, which is a request."""
    message = messages[-1]
    assert isinstance(message, Request)
    return message
