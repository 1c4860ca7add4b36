"""The pages of the dashboard, a noun a file: each is a row of the table in `gateway.web.dashboard`.

agents.py        Agents and versions: what answers and speaks, drafted, published, and from then on as
                 it is
batch.py         One batch: how it is to call while it is a draft, how it goes while it runs, and what
                 came of it
batch_upload.py  A new batch: its file is uploaded, read, checked; then one goes ahead with the good
                 rows, or mends it
batches.py       Batch calls: the list and history of a workspace's batches, and what is under way to
                 become one
buy.py           Buy a number: search the provider's offers, see what a country asks for, and buy, once
call.py          One call: what happened when, what was said on the wire, why, how it sounded, and what
                 it cost
call_texts.py    What an agent's runtime has posted about a call, as its page shows it
calls.py         Call history, the calls that go on now, and their export
do_not_call.py   Do not call: the numbers that this workspace never calls; added by hand or by a file,
                 found, taken off
link.py          Link SIP trunk: one's own number at one's own carrier, tested before it is saved
login.py         Logging in, with a local account or an API key, and out
number.py        One phone number: what it lacks before production, who answers it, who dials by it,
                 what happened to it
numbers.py       Phone Numbers: the table of what the workspace rents or brings along, and where each
                 number leads
place_call.py    Place a call: one outbound call from a number, watched while it happens; a refusal with
                 its reason
recording.py     A call's recording on its page: the WAV itself, and how to delete it
refused.py       Refused requests: calls that somebody asked for, that were not placed, and what mends
                 that
settings.py      Settings: the workspace, its accounts, its API keys
start.py         The way from an empty workspace to a first call: what is done, and what comes next
telephony.py     Telephony Config: where this workspace may call, what that costs, and a box that says
                 so for one number
test_calls.py    Test calls from a number's page: out to any number, in from the gateway's own telephone
trial_calls.py   Test calls of one number: what the latest one each way is like, and what one can begin
                 from the page
trunks.py        Trunks with their health: what went by them lately, and when it last failed
web_call.py      Web call: talk to an agent version with the browser's microphone
webhooks.py      Webhooks: whom the workspace tells of its calls, and what became of every attempt
"""
