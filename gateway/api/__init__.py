"""HTTP: health, metrics, the event stream, and the versioned API.

shapes/            What the API takes and shows: requests and answers as values, described for OpenAPI
agents.py          `/v1/agents`: agents and their versions, as far as telephony goes; and which numbers are
                   theirs
batch_refusal.py   What is wrong with an upload, or with its rows, as answers
batches.py         `/v1/batch-calls`: a file of recipients becomes calls, in the reference platform's
                   words
bounds.py          What every request passes before and after the routes: the bound of its body, our own
                   mistakes, headers
call_events.py     One call's events as a stream: what has happened so far, then what happens, to its ending
call_texts.py      What the agent's runtime posts about a call: its transcript, and the fields that it made
                   out
calls.py           `/v1/calls`: asking for calls, reading their records, following and ending them
connections.py     The HTTP server's connections: how many, from whom, and how long they may take to say
                   what they want
cors.py            Pages of other sites that may ask the API: CORS (the Fetch standard, section 3.2); none
                   unless named
countries.py       `/v1/phone-country-rules` and `/v1/phone-number-pricing`: where calls may go, and what a
                   number costs
description.py     The app that all routes are put into, and its OpenAPI description
do_not_call.py     `/v1/do-not-call`: the numbers that a workspace never calls
event_stream.py    Events as server-sent events (the WHATWG's HTML standard, section 9.2)
field_names.py     What a client calls the fields of the route that it asked: refusals name them so, whoever
                   raised them
front.py           What stands in front of all routes, from the outside in
heads.py           HEAD wherever there is GET: its answer without the content (RFC 9110 section 9.3.2)
keys.py            Who is asking: a workspace's key, or the operator on the gateway's own machine
mqtt.py            Requests for calls that a broker brings: taken, placed once, answered, and only then
                   acknowledged
mqtt_request.py    Requests for calls as they come from a broker, and their answers: HTTP's, with topics and
                   properties
numbers.py         `/v1/organization-phone-numbers`: the numbers of a workspace, searching, buying, linking,
                   giving back
operations.py      What an operator's tools ask: is it alive, is it ready, how is it doing, what is
                   happening
rate.py            How many requests a key may make: so many a window, told in the headers of every answer
rates.py           `/v1/rates`: what calls cost
recording_link.py  Links to recordings that work without a key, for whoever has them, until they run out
recordings.py      The recording of a call: pausing it, fetching any part of it, deleting it
refusal.py         The one place where a refusal becomes an HTTP answer: `{statusCode, message, error}`, and
                   why
server.py          The HTTP server inside the gateway's own loop
vendor_gate.py     Who asks by a vendor's API, and which running call it is about
vendors.py         What bots call back by their vendors' APIs: Twilio's, Plivo's and Telnyx's hang-ups and
                   transfers
web_calls.py       `/v1/web-calls`: a call between a browser and an agent, and the ticket that lets the
                   browser in
webhooks.py        `/v1/user-webhooks`: who is told of a workspace's calls, in the reference platform's
                   words
workspace.py       `/v1/workspace`: the workspace that a key belongs to, and what it may change of it
"""
