"""A client that was generated from the gateway's description: places a call, follows its record, hangs up.

    generated_client.py FOLDER URL KEY CALLEE CALLER

FOLDER holds the package `generated`. What it saw is printed as JSON, one object a line.
"""

import io
import json
import sys
import time

folder, url, key, callee, caller = sys.argv[1:]
sys.path.insert(0, folder)

from generated import AuthenticatedClient  # noqa: E402
from generated.api.batch_calls import create_batch_call, delete_batch_call, get_batch_call  # noqa: E402
from generated.api.calls import end_call, get_call, list_calls, place_call  # noqa: E402
from generated.models import CallBody, CallBodyMetadata, CreateBatchCallBatchForm  # noqa: E402
from generated.types import File  # noqa: E402


def say(**seen: object) -> None:
    print(json.dumps(seen), flush=True)


metadata = CallBodyMetadata.from_dict({"name": "Ada"})
with AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True) as client:
    wrong = place_call.sync(client=client, body=CallBody(phone_number="123", from_number=caller))
    say(refused=wrong.status_code, field=wrong.problems[0].field if wrong.problems else None)
    asked = CallBody(phone_number=callee, from_number=caller, metadata=metadata)
    placed = place_call.sync(client=client, body=asked, idempotency_key="once")
    again = place_call.sync_detailed(client=client, body=asked, idempotency_key="once")
    say(placed=placed.id, again=again.parsed.id, status=int(again.status_code))
    deadline = time.monotonic() + 20
    while (call := get_call.sync(placed.id, client=client)).answered_at is None:
        assert time.monotonic() < deadline, call
        time.sleep(0.1)
    say(answered=call.to_number)
    end_call.sync(placed.id, client=client)
    while (call := get_call.sync(placed.id, client=client)).ended_at is None:
        assert time.monotonic() < deadline, call
        time.sleep(0.1)
    listed = list_calls.sync(client=client, call_id=placed.id, limit=5)
    say(ended=call.status, reason=call.end_reason, listed=[one.id for one in listed])
    people = File(io.BytesIO(f"phone_number,name\n{callee},Ada\n".encode()), "people.csv", "text/csv")
    form = CreateBatchCallBatchForm(file=people, title="Generated", agent_id=call.agent_id, draft=True)
    batch = create_batch_call.sync(client=client, body=form)
    shown = get_batch_call.sync(batch.id, client=client).batch
    gone = delete_batch_call.sync_detailed(batch.id, client=client)
    say(batch=shown.title, recipients=batch.total_records, status=shown.status, deleted=int(gone.status_code))
