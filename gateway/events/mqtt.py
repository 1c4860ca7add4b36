"""What the gateway says on the broker: topics and messages, made of values; `docs/mqtt.md` lists them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from gateway.events.bus import PRIVATE, Event
from gateway.net.mqtt import Publication

UNKNOWN = "-"
"Stands in a topic for the workspace of a call that has none, or none yet."
MAX_EVENT_BYTES = 65_536
"A longer event is published without its longest fields."
LEVEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
"What may stand between two slashes of a topic of ours."


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic that a gateway speaks on or listens to, below one prefix."""

    prefix: str
    gateway: str

    @property
    def state(self) -> str:
        """Where the gateway's own state is retained."""
        return f"{self.prefix}/gateways/{self.gateway}/state"

    def event(self, workspace_id: str, call_id: str, name: str) -> str:
        """Where one event of a call goes."""
        return f"{self.prefix}/calls/{workspace_id}/{call_id}/{name}"

    def batch_event(self, workspace_id: str, batch_id: str, name: str) -> str:
        """Where one event of a batch goes."""
        return f"{self.prefix}/batches/{workspace_id}/{batch_id}/{name}"

    @property
    def requests(self) -> str:
        """Where requests for calls come from, each workspace on a level of its own."""
        return f"{self.prefix}/requests/+/calls"

    def workspace_of(self, topic: str) -> str | None:
        """The workspace whose request came on this topic; None where it cannot be one."""
        rest = topic.removeprefix(f"{self.prefix}/requests/").removesuffix("/calls")
        return rest if LEVEL.fullmatch(rest) else None

    def answers(self, workspace_id: str) -> str:
        """Where answers to a workspace go, and below which its response topics have to be."""
        return f"{self.prefix}/answers/{workspace_id}"


def state(topics: Topics, word: str, **more: object) -> Publication:
    """`online`, `draining` or `offline`, retained."""
    fields = {"state": word, "gateway": topics.gateway, **more}
    return Publication(topics.state, orjson.dumps(fields), retain=True)


class CallEvents:
    """Turns events of calls and batches into publications; remembers whose a running call is."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._workspaces: dict[str, str] = {}

    def publication(self, event: Event) -> Publication | None:
        """The message of an event of a call or a batch; None for all others."""
        call_id = event.call_id
        noun, _, name = event.name.partition(".")
        if noun == "batch" and event.batch_id is not None:
            return self._of_batch(event, event.batch_id, name)
        if noun != "call" or call_id is None:
            return None
        workspace_id = self._workspace(call_id, event.fields)
        if name in ("ended", "closed_at_start"):
            self._workspaces.pop(call_id, None)
        payload = self._payload(event, workspace_id)
        return Publication(self._topics.event(workspace_id or UNKNOWN, call_id, name), payload)

    def _of_batch(self, event: Event, batch_id: str, name: str) -> Publication | None:
        workspace_id = event.fields.get("workspace_id")
        if not isinstance(workspace_id, str) or LEVEL.fullmatch(workspace_id) is None:
            return None
        topic = self._topics.batch_event(workspace_id, batch_id, name)
        return Publication(topic, self._payload(event, workspace_id))

    def _workspace(self, call_id: str, fields: Mapping[str, object]) -> str | None:
        workspace_id = fields.get("workspace_id")
        if isinstance(workspace_id, str) and LEVEL.fullmatch(workspace_id):
            self._workspaces[call_id] = workspace_id
        return self._workspaces.get(call_id)

    def _payload(self, event: Event, workspace_id: str | None) -> bytes:
        moment = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"event": event.name, "time": moment, "level": event.level, "gateway": self._topics.gateway}
        # A mistake of ours is told to the log with its traceback, and to others without.
        fields = {name: value for name, value in event.fields.items() if name not in PRIVATE}
        body = {**head, "workspace_id": workspace_id, **fields}
        payload = dumps(body)
        if len(payload) > MAX_EVENT_BYTES:
            payload = dumps({name: value for name, value in body.items() if len(dumps(value)) < 1000})
        return payload


def dumps(value: object) -> bytes:
    """JSON of anything that an event can hold."""
    return orjson.dumps(value, default=str)
