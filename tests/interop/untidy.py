"""A workspace as real ones become: long names, many scripts, long addresses, many of all, every ending.

What the gateway can be asked for is in `SEED`; the history of calls that nobody can make in a test, and what
strangers wrote, goes into the database.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa

from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import (
    call_texts,
    calls,
    changes,
    deliveries,
    do_not_call,
    do_not_call_counts,
    refused_requests,
    webhooks,
)
from gateway.store.records.call_table import Saved, columns_of_call
from gateway.store.records.calls import CallRow

WORKSPACE = "Übermäßig-Lange-Firmennamen und Söhne GmbH, Rindfleisch"
ACCOUNT = "maximiliane.von-und-zu-hohenstein.telephony-operations@subsidiary.example.co.uk"

LONG_NAME = "Terminvereinbarung für Privatpatienten, Nachsorge und Rezept"
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitaensmuetzenabzeichen_v2"
ARABIC = "مكتب الاستقبال الرئيسي لحجز المواعيد"
CHINESE = "預約服務台北總公司客戶服務中心語音助理"
LONG_URL = (
    "wss://agents.eu-central-1.internal.example.com/calls/v2/workspaces/rindfleisch/agents/appointments"
    "?tenant=aVeryLongTenantName0123456789&token={secret}&call={call_id}&from={from}&to={to}"
)
HOOK_PATH = (
    "/workflows/incoming/7f3c9a4e2b1d4c5f8a6b7c8d9e0f1a2b/telephony-events"
    "?signature=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm"
)
"Of a webhook, behind the address of whoever receives it."

SEED = f"""
[[workspaces]]
name = "{WORKSPACE}"
currency = "EUR"
verification_number = "+4915123456789"
concurrency_limit = 40

[[trunks]]
workspace = "{WORKSPACE}"
name = "{LONG_NAME[:50]} Trunk A"
sources = ["2001:db8:aaaa:bbbb:cccc:dddd:eeee:0/112", "198.51.100.128/25", "192.0.2.4", "192.0.2.5"]
termination_uri = "sip-proxy-01.frankfurt.carrier-interconnect.example.net:5061"
transport = "TLS"
codecs = ["PCMU", "PCMA"]

[[trunks]]
workspace = "{WORKSPACE}"
name = "{ARABIC}"
sources = ["203.0.113.9"]

[[agents]]
workspace = "{WORKSPACE}"
name = "{LONG_NAME}"
[[agents.versions]]
runtime_url = "{LONG_URL}"
state = "published"
secret = "a long enough secret"
parameters = {{ greeting = "{ARABIC}", {LONG_WORD} = "{LONG_WORD}" }}
[[agents.versions]]
runtime_url = "{LONG_URL}"
state = "published"
secret = "a long enough secret"
[[agents.versions]]
runtime_url = "{LONG_URL}"
secret = "a long enough secret"

[[agents]]
workspace = "{WORKSPACE}"
name = "{LONG_WORD}"
[[agents.versions]]
runtime_url = "wss://agents.example.com/a"
state = "published"

[[agents]]
workspace = "{WORKSPACE}"
name = "{CHINESE}"
[[agents.versions]]
runtime_url = "wss://agents.example.com/b"
state = "published"

[[numbers]]
workspace = "{WORKSPACE}"
e164 = "+4930901820101"
nickname = "{LONG_NAME}"
trunk = "{LONG_NAME[:50]} Trunk A"
sip_trunk_enabled = true
recording = "both"
inbound = "{LONG_NAME}/1"
outbound = "{LONG_NAME}/2"
is_default = true

[[numbers]]
workspace = "{WORKSPACE}"
e164 = "+12025550142"
nickname = "{LONG_WORD}"
provider = "plivo"
status = "pending"
renews_at = 2027-03-01
inbound = "{LONG_WORD}/1"
outbound = "{LONG_WORD}/1"

[[numbers]]
workspace = "{WORKSPACE}"
e164 = "+8613912345678"
nickname = "{CHINESE}"
provider = "plivo"
rental_status = "expired"
rental_expires_at = 2026-01-31
renews_at = 2026-01-31
inbound = "{CHINESE}/1"

[[numbers]]
workspace = "{WORKSPACE}"
e164 = "+971501234567"
nickname = "{ARABIC}"
trunk = "{ARABIC}"
outbound = "{CHINESE}/1"
""" + "".join(
    f"""
[[numbers]]
workspace = "{WORKSPACE}"
e164 = "+1202555{8000 + at}"
provider = "plivo"
inbound = "{LONG_WORD}/1"
"""
    for at in range(8)
)
"Beside other workspaces: everything names its own."

NOW = datetime.now(UTC)
CALL_ID = "a84b4c76e66710-1234567890abcdef1234567890abcdef@pc33.frankfurt.carrier-interconnect.example.net"


def _decision(outbound: bool, reason: str | None) -> dict[str, object]:
    told = [
        ("workspace", "org_0123456789abcdefghijkl", f"“{WORKSPACE}”", "pass"),
        ("destination", "+44 (0) 20 7946 0018 ext. 4411; phone-context=example.com", "+442079460018", "pass"),
        ("country rules", "GB", "set aside: the number goes by a SIP trunk of the workspace’s own", "grant"),
        (
            "trunk",
            LONG_WORD,
            f"“{LONG_NAME}”, sip-proxy-01.frankfurt.carrier-interconnect.example.net",
            "pass",
        ),
        (
            "caller",
            "sip:" + "x" * 70,
            "not shown as an international number: nothing says that it is one",
            "note",
        ),
    ]
    if reason:
        told.append(("limit", LONG_WORD, "40 of 40 calls are running", "fail"))
    return {
        "allowed": reason is None,
        "reason": reason,
        "summary": f"{'Goes out' if outbound else 'Answered'} by {LONG_NAME}, version 2, trunk {LONG_WORD}",
        "checks": [dict(zip(("name", "looked_at", "found", "outcome"), one, strict=True)) for one in told],
        "near_misses": [f"{LONG_WORD} has the number +442079460019, which differs in its last digit"],
    }


def _quality(seconds: int) -> dict[str, object]:
    columns = ["mos_in", "mos_out", "loss_in", "loss_out", "jitter_in", "jitter_out"]
    points = [
        [4.4 - at % 7 / 5, 4.2, at % 5 * 2.5, 0.5, 3.0 + at % 11 * 6, 12.0 + at % 3]
        for at in range(seconds // 20)
    ]
    return {"step_seconds": 20, "columns": columns, "points": points}


def _ladder(outbound: bool) -> list[dict[str, object]]:
    lines = (
        "INVITE",
        "100 Trying",
        "183 Session Progress",
        "200 OK",
        "ACK",
        "INVITE",
        "488 No Common Codec",
        "BYE",
    )
    theirs = ("100", "183", "200")
    return [
        {
            "at": (NOW + timedelta(milliseconds=137 * at)).isoformat(),
            "sent": (line[:3] not in theirs) == outbound,
            "line": line,
        }
        for at, line in enumerate(lines)
    ]


def _call(workspace_id: str, **fields: object) -> CallRow:
    began = NOW - timedelta(minutes=3 + int(str(fields.pop("ago", 0))))
    outbound = fields.get("direction") == "outbound"
    given: dict[str, object] = {
        "id": new_id("call"),
        "direction": "inbound",
        "status": "completed",
        "created_at": began,
        "ringing_at": began + timedelta(seconds=1),
        "answered_at": began + timedelta(seconds=4),
        "first_audio_in_at": began + timedelta(seconds=4, milliseconds=30),
        "first_audio_out_at": began + timedelta(seconds=5),
        "ended_at": began + timedelta(seconds=3725),
        "duration_ms": 3_721_000,
        "workspace_id": workspace_id,
        "from_number": "+442079460018",
        "to_number": "+4930901820101",
        "sip_call_id": CALL_ID,
        "end_reason": "user_disconnected",
        "ended_by": "caller",
        "sip_status": 200,
        "q850": 16,
        "decision": _decision(outbound, None),
        "ladder": _ladder(outbound),
        "media": {
            "codec": "PCMU",
            "remote": "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:49170",
            "round_trip_ms": 123.4,
            "in": {"packets": 123_456, "lost": 1234, "jitter_ms": 23.45, "late": 3, "concealed_ms": 24_680},
            "out": {"packets": 123_456, "lost": 12, "jitter_ms": 3.4},
            "quality": _quality(3600),
        },
        "metadata": {LONG_WORD: LONG_WORD * 2, "الاسم": ARABIC},
        "price": Decimal("123.456789"),
        "currency": "EUR",
        "rate": Decimal("0.0119"),
        "rate_prefix": "4420",
        "billed_seconds": 3721,
        "requested_by": f"web:{ACCOUNT}",
        "instance": "interop",
        **fields,
    }
    return CallRow(**given)  # type: ignore[arg-type]  # by the table above


def _calls(workspace_id: str, version_id: str, number_id: str, trunk_id: str) -> list[CallRow]:
    whose = {"version_id": version_id, "number_id": number_id, "trunk_id": trunk_id}
    none = {
        "answered_at": None,
        "first_audio_in_at": None,
        "first_audio_out_at": None,
        "duration_ms": 0,
        "price": None,
    }
    crash = (
        "the agent closed the connection with 1011 (" + "Traceback: KeyError 'greeting' in handler " * 2 + ")"
    )
    out = {"direction": "outbound", "from_number": "+4930901820101", "to_number": "+8613912345678"}
    made = [
        _call(workspace_id, **whose),
        _call(workspace_id, **whose, **out, ago=1, end_reason="agent_hung_up", ended_by="agent"),
        _call(
            workspace_id,
            **whose,
            ago=2,
            status="failed",
            end_reason="agent_error",
            ended_by="agent",
            detail=crash,
        ),
        _call(
            workspace_id,
            **none,
            ago=3,
            status="failed",
            end_reason="workspace_concurrency_limit",
            ended_by="gateway",
            from_number="sip:" + "anonymous" * 8 + "@anonymous.invalid",
            decision=_decision(False, "workspace_concurrency_limit"),
            detail=f"“{WORKSPACE}” has 40 of 40 calls at once",
            sip_status=503,
        ),
        _call(
            workspace_id, **whose, **none, **out, ago=4, status="busy", end_reason="user_busy", sip_status=486
        ),
        _call(workspace_id, ago=5, type="web", from_number="", to_number="", ladder=(), price=None),
    ]
    made[1] = replace(made[1], parent_call_id=made[0].id)
    return made


def fill(database: Path) -> dict[str, str]:
    """Put the history in; the ids of what pages are about."""
    with closing(sqlite3.connect(database)) as plain:

        def one(question: str, *values: str) -> str:
            return str(plain.execute(question, values).fetchone()[0])

        workspace_id = one("SELECT id FROM workspaces WHERE name = ?", WORKSPACE)
        agent_id = one("SELECT id FROM agents WHERE name = ?", LONG_NAME)
        ids = {
            "number": one("SELECT id FROM phone_numbers WHERE e164 = ?", "+4930901820101"),
            "pending": one("SELECT id FROM phone_numbers WHERE e164 = ?", "+12025550142"),
            "trunk": one("SELECT id FROM trunks WHERE transport = 'TLS'"),
            "agent": agent_id,
            "version": one("SELECT id FROM agent_versions WHERE agent_id = ? AND number = 2", agent_id),
            "draft": one("SELECT id FROM agent_versions WHERE agent_id = ? AND state = 'draft'", agent_id),
        }
        recorded = plain.execute("SELECT recording FROM calls WHERE recording_status = 'saved'").fetchone()
    engine = sa.create_engine(f"sqlite:///{database}")
    rows = _calls(workspace_id, ids["version"], ids["number"], ids["trunk"])
    if recorded:
        rows[0] = replace(rows[0], recording_status="saved", recording=json.loads(recorded[0]))
    with engine.begin() as there:
        for row in rows:
            there.execute(calls.insert().values(**columns_of_call(Saved(1, row))))
        ids |= {
            "call": rows[0].id,
            "outbound": rows[1].id,
            "crashed": rows[2].id,
            "failed": rows[3].id,
            "web": rows[5].id,
        }
        _told(there, workspace_id, rows[0].id)
        _refused(there, workspace_id)
        _changed(there, workspace_id)
        _never_called(there, workspace_id)
    engine.dispose()
    return ids


def _told(there: sa.Connection, workspace_id: str, call_id: str) -> None:
    turns = [
        {"role": "assistant", "content": f"{ARABIC} {LONG_NAME} " * 3, "start": 0.4},
        {"role": "user", "content": f"{CHINESE} {LONG_WORD}{LONG_WORD}", "start": 3599.9},
    ]
    found = {LONG_WORD: LONG_WORD * 3, "名前": CHINESE, "nested": {"a": [1, 2, 3], "b": HOOK_PATH}}
    there.execute(
        call_texts.insert().values(
            call_id=call_id,
            workspace_id=workspace_id,
            transcript=turns,
            summary=f"{LONG_NAME}. " * 8,
            sentiment="negative",
            extracted=found,
            updated_at=NOW,
        )
    )


def tidy_up(database: Path) -> None:
    """Take the calls away that never were."""
    with closing(sqlite3.connect(database)) as plain, plain:
        plain.execute("DELETE FROM calls WHERE sip_call_id = ?", (CALL_ID,))


def deliver(database: Path, call_id: str) -> str:
    """Deliveries of every state to the webhook that there is; its id."""
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.begin() as there:
        hook = there.execute(sa.select(webhooks.c.id, webhooks.c.workspace_id)).one()
        for state, error in _DELIVERED:
            there.execute(
                deliveries.insert().values(
                    id=new_id("dlv"),
                    webhook_id=hook.id,
                    workspace_id=hook.workspace_id,
                    event="call.transcript_ready",
                    call_id=call_id,
                    body="{}",
                    state=state,
                    attempts=7,
                    created_at=NOW,
                    next_at=NOW + timedelta(hours=9),
                    response_status=200 if state == "delivered" else None,
                    error_message=error,
                    parent_delivery_id="dlv_x" if error else None,
                )
            )
    engine.dispose()
    return str(hook.id)


_DELIVERED = (
    ("delivered", ""),
    ("failed", "the certificate of hooks.integration-platform.example.com has expired"),
    ("pending", ""),
)


def _refused(there: sa.Connection, workspace_id: str) -> None:
    there.execute(
        refused_requests.insert().values(
            id=new_id("ref"),
            workspace_id=workspace_id,
            at=NOW,
            type="phone",
            by=f"api:{new_id('key')}",
            from_number="+4930901820101",
            to_number="+442079460018" + "9" * 20,
            reason="workspace_concurrency_limit",
            message=f"“{WORKSPACE}” has 40 of 40 calls at once",
            decision=_decision(True, "workspace_concurrency_limit"),
            count=123,
        )
    )


def _changed(there: sa.Connection, workspace_id: str) -> None:
    for fields in ({"name": ["x", WORKSPACE]}, {"verified_caller_ids": [None, ["+442079460018"] * 9]}):
        there.execute(
            changes.insert().values(
                id=new_id("chg"),
                at=NOW,
                by=f"web:{ACCOUNT}",
                workspace_id=workspace_id,
                kind="workspace",
                object_id=workspace_id,
                action="change",
                fields=fields,
                revision=1,
            )
        )


def _never_called(there: sa.Connection, workspace_id: str) -> None:
    numbers = [f"+49309018{number:05}" for number in range(60)]
    reason = "asked us in a letter of the third of May, and again by telephone. " * 3
    row = {"workspace_id": workspace_id, "added_by": f"web:{ACCOUNT}", "added_at": NOW, "reason": reason}
    there.execute(do_not_call.insert(), [{**row, "phone_number": number} for number in numbers])
    there.execute(do_not_call_counts.insert().values(workspace_id=workspace_id, numbers=len(numbers)))


def places(ids: dict[str, str]) -> dict[str, str]:
    """Every page that shows some of it, by a name for its picture."""
    return {
        "numbers": "/numbers",
        "number": f"/numbers/{ids['number']}",
        "number-pending": f"/numbers/{ids['pending']}",
        "buy": "/numbers/buy?country=US",
        "agents": "/agents",
        "agent": f"/agents/{ids['agent']}",
        "version": f"/versions/{ids['version']}",
        "draft": f"/versions/{ids['draft']}",
        "calls": "/calls?start=2026-01-01&least=1&sort=oldest",
        "call": f"/calls/{ids['call']}",
        "call-outbound": f"/calls/{ids['outbound']}",
        "call-crashed": f"/calls/{ids['crashed']}",
        "call-failed": f"/calls/{ids['failed']}",
        "call-web": f"/calls/{ids['web']}",
        "refused": "/calls/refused",
        "place": "/calls/new",
        "web-call": "/web-call",
        "batch-new": "/batches/new",
        "telephony": "/telephony?to=%2B442079460018&q=united+kingdom",
        "do-not-call": "/telephony/do-not-call",
        "trunks": "/trunks",
        "trunk": f"/trunks/{ids['trunk']}",
        "settings": "/settings",
        "webhooks": "/webhooks",
        "webhook": f"/webhooks/{ids['webhook']}",
    }
