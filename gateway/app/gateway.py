"""The gateway: builds its parts, starts, drains and stops. Alone here the concrete classes meet."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from gateway import __version__
from gateway.agent.protocol import Transfer
from gateway.api.calls import CallParts as CallRoutes
from gateway.api.mqtt import MqttRequests
from gateway.api.server import HttpServer
from gateway.app.batches import batches_of
from gateway.app.events import build_events
from gateway.app.http import build_http, call_routes
from gateway.app.listening import (
    authenticator,
    binding,
    client_tls,
    families,
    reach,
    sip_settings,
    stream_limits,
)
from gateway.app.numbers import build_numbers
from gateway.batch.batches import Batches
from gateway.batch.engine import Engine
from gateway.batch.files.multipart import Uploads
from gateway.call.admission import TrunkGate
from gateway.call.idempotency import sweep
from gateway.call.left_over import tell_of_left_over
from gateway.call.legs.dialogs import Dialogs
from gateway.call.money.reservation import Reservations
from gateway.call.newcomers import Newcomers
from gateway.call.parts import CallParts
from gateway.call.patch import Transferable
from gateway.call.places import OwnPlaces
from gateway.call.placing import Placing
from gateway.call.recording.sounds import Sounds
from gateway.call.switchboard import Switchboard
from gateway.call.transfer import Transfers
from gateway.call.turned_away import TurnedAway
from gateway.call.web_calls import WebCalls
from gateway.config.settings import Config
from gateway.events.bus import Event, EventBus, Sink
from gateway.events.link import BrokerLink
from gateway.events.loop_lag import LoopLag
from gateway.events.metrics import Metrics
from gateway.events.recall import Recall
from gateway.events.refusals import RefusalDesk
from gateway.media.audio import prepare_resampling
from gateway.net.agent import AgentDialer
from gateway.net.clock import MediaClock
from gateway.net.dns import Resolver
from gateway.net.overload import Overload
from gateway.net.rtp_ports import PortRange, RtpPorts
from gateway.net.sip import SipEndpoint
from gateway.net.throttle import Throttle
from gateway.numbering.files import load_plan
from gateway.provisioning.counter import Counter
from gateway.provisioning.linking import Linking
from gateway.provisioning.runtime_trial import RuntimeTrials
from gateway.provisioning.trial import Trials
from gateway.recordings.folder import FolderStore
from gateway.recordings.keeping import Keeping
from gateway.recordings.retention import Retention
from gateway.recordings.writer import RecordingWriter
from gateway.sip.events import Event as SipEvent
from gateway.store.engine.database import Database
from gateway.store.engine.private import private_folder
from gateway.store.engine.tenure import NameFile, NameLost, Tenure
from gateway.store.records.closing import Left
from gateway.store.sql import open_store

FILE_SECONDS = 5.0
"How long a gateway that stops waits for the webhooks of its last calls to be filed."
HURRY_SECONDS = 1.0
"How long one part may take over its closing after a second SIGTERM."


class Gateway:
    """One running gateway: `start`, then `serve` until it is told to stop, then it drains and stops."""

    def __init__(self, config: Config, *sinks: Sink) -> None:
        self.config = config
        self.bus = EventBus(*sinks)
        self.registry = CollectorRegistry()
        self.loop_lag = LoopLag(self.registry)
        self.parts: CallParts
        self.switchboard: Switchboard
        self.endpoint: SipEndpoint
        self.placing: Placing
        self.transfers: Transfers
        self.engine: Engine
        self.batches: Batches
        self.keeping: Keeping
        self.counter: Counter
        self.linking: Linking
        self.trials: Trials
        self.calls: CallRoutes
        self.http: HttpServer
        self.recall = Recall()
        self.uploads = Uploads(config.upload_folder, tell=self.bus.tell)
        self.link: BrokerLink | None = None
        self.closing = AsyncExitStack()
        "What `close` does, the last first."
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self.tenure: Tenure
        self._not_ready: str | None = "starting"

    async def start(self) -> None:
        """Have the name, open the store, close what a killed run left behind, and take calls.

        `NameTaken` where another process has the gateway's name: then nothing was touched.
        """
        config = self.config
        private_folder(config.gateway.data_dir)
        self.bus.add(Metrics(self.registry).hear)
        self.bus.add(self.recall.hear)
        await self._take_name()
        self.uploads.open()
        self.store = await open_store(config, self.bus.tell, fence=self.tenure.fence)
        self.closing.push_async_callback(self.store.close)
        await self._start_link()
        left = await self._close_left_over()
        self.throttle = Throttle(config.agents.flood_seconds)
        self.reach = reach(config)
        dialer = AgentDialer(config.agents, self.throttle, self.reach)
        self.closing.push_async_callback(dialer.close)
        self.runtime_trials = RuntimeTrials(dialer)
        await self._start_calls(dialer, await self._start_recordings())
        self.loop_lag.start()
        self.closing.callback(self.loop_lag.stop)
        self.trials, self.linking, self.counter = build_numbers(self)
        self.desk = build_events(self)
        self._tell_of(left)
        self._keep_refusals()
        self.calls = call_routes(self)
        self.http = await build_http(self)
        self._start_sweeping()
        await self._take_requests()
        self.engine.start()
        self.closing.push_async_callback(self.engine.drain)
        prepare_resampling()
        self._not_ready = None
        self.bus.tell(
            "gateway.started",
            version=__version__,
            name=config.gateway.name,
            sip=[f"{one.transport.lower()}:{one.host}:{one.port}" for one in self.endpoint.listeners],
            http=f"http://{config.http.bind}:{self.http.port}",
        )

    async def serve(self) -> None:
        """Run until `stop` is called, then drain. `NameLost` where another process took the name over."""
        await self._stop.wait()
        self._not_ready = "draining"
        seconds = self.config.sip.drain_seconds
        self.bus.tell("gateway.draining", calls=self.switchboard.active, seconds=seconds)
        leaving = [self.link.drain()] if self.link is not None else []
        await asyncio.gather(*leaving, self.engine.drain(), self.switchboard.drain(seconds, self._at_once))
        if self.tenure.is_lost:
            raise NameLost(f"another process has the name “{self.tenure.name}” by now")
        # Those who are told of calls have to know of the last ones, too.
        await _within(FILE_SECONDS, self.desk.filed())

    def stop(self) -> None:
        """Begin to drain; a second time ends it: calls get their BYE at once."""
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    def beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run it from now on, until the gateway closes."""
        self.closing.push_async_callback(_cancelled, asyncio.create_task(work, name=name))

    @property
    def stopping(self) -> asyncio.Event:
        """Set from the first `stop` on."""
        return self._stop

    async def close(self) -> None:
        """Close every part, in the reverse order of its start; in a hurry none may take long over it."""
        closing = asyncio.create_task(self.closing.aclose())
        hurry = asyncio.create_task(self._at_once.wait())
        await asyncio.wait([closing, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        while not closing.done() and not (await asyncio.wait([closing], timeout=HURRY_SECONDS))[0]:
            closing.cancel()  # the part that is being closed: the others have their turn
        with suppress(asyncio.CancelledError):
            await closing
        self.bus.tell("gateway.stopped")

    async def _take_name(self) -> None:
        """First of all: nothing of a gateway that runs already may be touched."""
        name, file = self.config.gateway.name, NameFile(self.config.name_file)
        self.tenure = Tenure(name, Database(self.config.store_url), file, self.bus.tell, self._name_lost)
        await self.tenure.take()
        self.closing.push_async_callback(self.tenure.give_up)
        living = asyncio.create_task(self.tenure.run(), name="tenure")
        self.closing.push_async_callback(self.tenure.leave, living)

    def _name_lost(self) -> None:
        """Another process has the calls of this one in its books: hang up, tell nobody, and end."""
        self.bus.tell("gateway.name_lost", level="error", name=self.tenure.name, calls=self._running())
        if self.link is not None:
            self.link.mute()
        if hasattr(self, "desk"):
            self.bus.drop(self.desk.hear)
        self.stop()
        self.stop()

    def _running(self) -> int:
        return self.switchboard.active if hasattr(self, "switchboard") else 0

    async def _start_link(self) -> None:
        """Before there are calls, since their events go out by it, and closed after the last of them."""
        if self.config.mqtt.url:
            self.link = BrokerLink(self.config, self.bus)
            await self.link.open()
            self.closing.push_async_callback(self.link.close)

    def _start_sweeping(self) -> None:
        age = timedelta(hours=self.config.http.request_hours)
        self.beside(sweep(self.store.requests, age), "requests-sweep")
        self.beside(self.recall.run(), "recall-sweep")

    async def _take_requests(self) -> None:
        """Last, since from here on the broker may give us a call to place."""
        if self.link is None or not self.config.mqtt.requests_at_once:
            return
        once, keys = self.calls.once, self.store.configuration.keys
        requests = MqttRequests(self.config, self.link, once, keys, self.bus)
        self.closing.push_async_callback(requests.close)
        await self.link.listen(requests.take)

    async def _close_left_over(self) -> Left:
        left = await self.store.close_open_calls(self.tenure.died_ms)
        for row in left.closed:
            whose = {} if row.workspace_id is None else {"workspace_id": row.workspace_id}
            self.bus.tell("call.closed_at_start", level="warning", call_id=row.id, detail=row.detail, **whose)
        await self.store.requests.let_go()
        return left

    def _tell_of(self, left: Left) -> None:
        """What a killed run has told nobody of is told now, beside the first calls."""
        for call_id in left.ended:  # webhooks that were filed by then are not filed twice
            self.desk.hear(Event("call.ended", {"call_id": call_id}))
        self.beside(tell_of_left_over(self.store, self.bus, self._told), "left-over")

    def _keep_refusals(self) -> None:
        refusals = RefusalDesk(self.store.refusals)
        self.bus.add(refusals.hear)
        self.closing.push_async_callback(refusals.finish)
        self.beside(refusals.run(), "refusals")

    async def _told(self) -> None:
        """All who are told of calls have on disk what they were told."""
        await self.desk.filed()
        if self.link is not None:
            await self.link.outbox.settled()

    async def _start_recordings(self) -> RecordingWriter:
        settings = self.config.recordings
        key = self.store.key_for("recordings")
        folder = FolderStore(self.config.recordings_folder, key, seals=settings.at_rest == "sealed")
        self.keeping = Keeping(self.store, folder, settings.keep_days, self.bus.tell)
        await self.keeping.recover()
        writer = RecordingWriter(
            folder, most_ahead=settings.buffer_seconds, min_free_bytes=settings.min_free_mb << 20
        )
        writer.start()
        self.closing.push_async_callback(writer.close)
        began, at = datetime.now(UTC), time.monotonic()

        def now() -> datetime:
            """As the start saw the time, and on from there: a clock that jumps ahead deletes nothing."""
            return began + timedelta(seconds=time.monotonic() - at)

        retention = Retention(self.store, self.keeping, self.config.store.keep_calls_days, self.bus.tell)
        self.beside(self.keeping.run(now), "recordings-sweep")
        self.beside(retention.run(now), "calls-sweep")
        return writer

    async def _start_calls(self, dialer: AgentDialer, recordings: RecordingWriter) -> None:
        """The user agent, what calls are made of, and who has and places them."""
        config, tell, dialogs = self.config, self.bus.tell, Dialogs()
        limits, media, loop = config.limits, config.media, asyncio.get_running_loop()
        # What comes in leads to calls, and calls send: the user agent knows the switchboard through us.
        overload = Overload(limits.shed_late_ms / 1000, tell, self._running, limits.shed_from_calls)
        newcomers = Newcomers(limits.calls_per_second, limits.unacknowledged_calls)
        gate = self._gate(newcomers, overload)
        resolver = Resolver(families=families(config.sip.listeners))
        self.endpoint = self._sip_endpoint(gate, resolver, dialogs)
        clock = MediaClock(self._tick_failed)
        self.parts = CallParts(
            config=config,
            store=self.store,
            tell=tell,
            endpoint=self.endpoint,
            gate=gate,
            newcomers=newcomers,
            dialogs=dialogs,
            resolver=resolver,
            clock=clock,
            ports=RtpPorts(PortRange(media.port_min, media.port_max), media.quarantine_seconds, clock=clock),
            sounds=Sounds(config.sound_folders, media.max_sound_bytes),
            recordings=recordings,
            meter=Reservations(self.store, config.billing.grace_seconds, loop.time, tell),
            places=OwnPlaces(),
            dialer=dialer,
            transfer=self._transfer,
        )
        self.switchboard = Switchboard(self.parts, overload)
        self.placing = Placing(config.outbound, self.parts, self.switchboard, load_plan(config.outbound))
        self.transfers = Transfers(self.placing)
        self.web_calls = WebCalls(config, self.parts, self.switchboard)
        self.engine, self.batches = batches_of(self)
        self.closing.push_async_callback(self.endpoint.stop)
        await self.endpoint.start()
        # The engine behind the calls, since it writes down how they end.
        for part in (self.engine, self.switchboard, self.transfers):
            self.closing.push_async_callback(part.close)
        self._start_clocks()

    def _start_clocks(self) -> None:
        """What beats for all calls: their money, and their audio."""
        self.parts.meter.start()
        self.closing.push_async_callback(self.parts.meter.stop)
        self.parts.clock.start()
        self.closing.callback(self.parts.clock.stop)

    def _hear(self, event: SipEvent) -> None:
        self.switchboard.on_event(event)

    def _transfer(self, call: Transferable, wanted: Transfer) -> None:
        self.transfers.ask(call, wanted)

    def _tick_failed(self, error: Exception) -> None:
        self.bus.tell("media.crashed", level="error", exc_info=error)

    def _gate(self, newcomers: Newcomers, overload: Overload) -> TrunkGate:
        config, turned_away = self.config, TurnedAway(self.store, self.bus.tell)
        return TrunkGate(
            self.store.trunks,
            authenticator(config.sip),
            config.sip.unknown_sources,
            newcomers,
            overload,
            turned_away.unknown_source,
            turned_away.message_refused,
        )

    def _sip_endpoint(self, gate: TrunkGate, resolver: Resolver, dialogs: Dialogs) -> SipEndpoint:
        config = self.config
        return SipEndpoint(
            [binding(listener) for listener in config.sip.listeners],
            gate,
            lambda: secrets.token_hex(10),
            resolver,
            self._hear,
            settings=sip_settings(config.sip),
            limits=stream_limits(config.sip),
            client_tls=client_tls(config.outbound),
            trace=dialogs.on_message,
            reach=self.reach,
        )

    async def ready(self) -> str | None:
        """Why no new calls are taken; None while they are."""
        busy = "overloaded" if self.switchboard.overload.shedding else None
        return self._not_ready or self.tenure.unwritable or busy or await self.store.healthy()


async def _within(seconds: float, work: Awaitable[None]) -> None:
    """Wait for it, but no longer."""
    with suppress(TimeoutError):
        await asyncio.wait_for(work, seconds)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
