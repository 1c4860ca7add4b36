"""Who has the events of each SIP dialog, and whose ladder its messages belong to."""

from typing import Protocol

from gateway.call.legs.sip_words import call_id_in, first_line
from gateway.call.record import CallRecord
from gateway.sip.dialog import Dialog
from gateway.sip.events import Event
from gateway.sip.target import Target


class Receives(Protocol):
    """Who takes the events of a dialog."""

    def receive(self, event: Event) -> None:
        """Take one."""


class Dialogs:
    """The dialogs of all calls: `begin` one, until it is over."""

    def __init__(self) -> None:
        self._receivers: dict[Dialog, Receives] = {}
        "A call, or the agent's leg of one."
        self._ladders: dict[str, CallRecord] = {}
        "Records by the Call-ID of their phone's dialog."

    def begin(self, dialog: Dialog, receiver: Receives, record: CallRecord | None = None) -> None:
        """Let somebody have the events of a dialog; a record keeps the first lines of its messages."""
        self._receivers[dialog] = receiver
        if record is not None:
            self._ladders[dialog.call_id] = record

    def receiver_of(self, dialog: Dialog) -> Receives | None:
        """Who has its events."""
        return self._receivers.get(dialog)

    def over(self, dialog: Dialog) -> Receives | None:
        """It has no events any more; who had them."""
        return self._receivers.pop(dialog, None)

    def waited_for(self, receiver: Receives) -> bool:
        """Whether more may come for somebody."""
        return receiver in self._receivers.values()

    def on_message(self, sent: bool, data: bytes, peer: Target) -> None:
        """Let a call's record keep the rungs of its signalling ladder."""
        record = self._ladders.get(call_id_in(data))
        if record is not None:
            record.step(sent, first_line(data))

    def forget_messages(self, record: CallRecord) -> bool:
        """No more rungs for this record's ladder; whether there could have been until now."""
        if self._ladders.get(record.sip_call_id) is not record:
            return False
        del self._ladders[record.sip_call_id]
        return True
