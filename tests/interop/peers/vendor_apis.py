"""Does something to a call by a vendor's own SDK, pointed at a gateway: one JSON object in, one value out.

Runs in an environment of its own.
"""

import json
import sys
from typing import Any

import plivo
from plivo.exceptions import ResourceNotFoundError
from plivo.rest import client as plivo_client
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse


def by_twilio(act: str, base: str, call: str, secret: str, to: str) -> Any:
    """Fetch, end or transfer."""
    client = Client("AC" + "0" * 32, secret)
    client.api.base_url = base
    resource = client.calls(call)
    try:
        if act == "fetch":
            found = resource.fetch()
            return {"status": found.status, "direction": found.direction, "sid": found.sid}
        if act == "transfer":
            response = VoiceResponse()
            response.dial(timeout=10).number(to)
            resource.update(twiml=response)
        else:
            resource.update(status="completed")
    except TwilioRestException as error:
        return "gone" if (error.status, error.code) == (404, 20404) else str(error)
    return "done"


def by_plivo(base: str, call: str, secret: str) -> str:
    """End."""
    plivo_client.PLIVO_API_BASE_URI = plivo_client.API_VOICE_BASE_URI = f"{base.rstrip('/')}/v1/Account"
    client = plivo.RestClient("MAXXXXXXXXXXXXXXXXXX", secret)
    try:
        client.calls.hangup(call_uuid=call)
    except ResourceNotFoundError:
        return "gone"
    return "done"


asked = json.load(sys.stdin)
if asked.pop("vendor") == "twilio":
    outcome = by_twilio(**asked)
else:
    outcome = by_plivo(asked["base"], asked["call"], asked["secret"])
json.dump(outcome, sys.stdout)
