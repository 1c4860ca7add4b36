"""The HTTP port of a gateway: the API's routes and the dashboard, given the parts that they ask."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse

from gateway.api.agents import agents
from gateway.api.batches import BatchParts, batches
from gateway.api.call_events import CallStreams
from gateway.api.call_texts import call_texts
from gateway.api.calls import CallParts as CallRoutes
from gateway.api.calls import calls
from gateway.api.countries import countries
from gateway.api.description import application
from gateway.api.do_not_call import DoNotCallParts, do_not_call
from gateway.api.front import front, http_server
from gateway.api.keys import KeyGate
from gateway.api.numbers import NumberParts, numbers
from gateway.api.operations import OperationParts, operations
from gateway.api.rates import rates
from gateway.api.recording_link import RecordingLinks
from gateway.api.recordings import RecordingParts, recordings
from gateway.api.server import HttpServer
from gateway.api.vendor_gate import VendorGate
from gateway.api.vendors import vendors
from gateway.api.web_calls import web_calls
from gateway.api.webhooks import user_webhooks
from gateway.api.workspace import workspace
from gateway.app.figures import figures_of
from gateway.batch.once import BatchOnce
from gateway.call.idempotency import Idempotency
from gateway.call.lookup import Lookup
from gateway.call.money.price_quotes import PriceQuotes
from gateway.call.record import utc_now
from gateway.events.metrics import LiveFigures
from gateway.events.subscribing import Subscribing
from gateway.net.browser import upgrades
from gateway.phones.house_phone import HousePhone
from gateway.provisioning.carrier_side import carrier_side
from gateway.web.dashboard import dashboard
from gateway.web.kept_files import KeptFiles
from gateway.web.parts import Parts

if TYPE_CHECKING:
    from gateway.app.gateway import Gateway

TOKEN_LENGTH = 32
"Characters below which a token is no secret."


async def build_http(gateway: "Gateway") -> HttpServer:
    """Start the server with all routes, and have it closed with the gateway."""
    http = gateway.config.http
    token = operator_token(gateway.config.token_file)
    gateway.registry.register(
        LiveFigures(lambda: figures_of(gateway), lambda: gateway.endpoint.user_agent.counters)
    )
    app = application(routers(gateway, token), gateway.config.web.public_url)
    _mount_dashboard(gateway, app)
    doors = upgrades(gateway.web_calls, gateway.throttle)
    server = http_server(front(app, http, gateway.bus.tell), http, doors)
    await server.start()
    gateway.closing.push_async_callback(server.stop)
    return server


def routers(gateway: "Gateway", token: str) -> list[APIRouter]:
    """The HTTP routes, a noun each."""
    configuration = gateway.store.configuration
    gate = KeyGate(configuration, token, gateway.config.http.requests_per_minute)
    parts = gateway.calls
    return [
        operations(
            OperationParts(gateway.bus, gateway.registry, gateway.ready, parts.lookup, parts.streams, token)
        ),
        calls(gate, parts),
        web_calls(gate, gateway.web_calls, gateway.config.web.public_url),
        rates(gate, PriceQuotes(gateway.store, gateway.placing.plan, gateway.parts.meter.balance)),
        recordings(gate, _recording_parts(gateway)),
        call_texts(gate, lookup_of(gateway), gateway.store.texts, gateway.bus),
        batches(gate, _batch_parts(gateway)),
        user_webhooks(gate, _subscribing(gateway)),
        numbers(gate, _number_parts(gateway)),
        agents(gate, configuration),
        vendors(_vendor_gate(gateway)),
        _countries(gateway, gate),
        do_not_call(gate, _do_not_call_parts(gateway)),
        workspace(gate, configuration),
    ]


def _vendor_gate(gateway: "Gateway") -> VendorGate:
    per_minute = gateway.config.http.requests_per_minute
    return VendorGate(gateway.store.configuration.keys, gateway.switchboard, gateway.transfers, per_minute)


def _mount_dashboard(gateway: "Gateway", app: FastAPI) -> None:
    if gateway.config.web.dashboard == "off":
        return
    phone = HousePhone(gateway.endpoint.listeners, gateway.bus.tell)
    gateway.closing.push_async_callback(phone.close)
    parts = Parts(
        config=gateway.config,
        store=gateway.store,
        switchboard=gateway.switchboard,
        placing=gateway.placing,
        web_calls=gateway.web_calls,
        keeping=gateway.keeping,
        counter=gateway.counter,
        linking=gateway.linking,
        subscribing=_subscribing(gateway),
        house_phone=phone,
        runtime_trials=gateway.runtime_trials,
        uploads=gateway.uploads,
        kept_files=_kept_files(gateway),
        batches=gateway.batches,
        tell=gateway.bus.tell,
    )
    site = dashboard(parts)
    app.mount(site.root, site.app)
    app.add_route("/", lambda _request: RedirectResponse(f"{site.root}/", 307), include_in_schema=False)


def _kept_files(gateway: "Gateway") -> KeptFiles:
    kept = KeptFiles(gateway.config.kept_folder, gateway.bus.tell, utc_now)
    kept.open()
    gateway.closing.push_async_callback(kept.close)
    return kept


def _subscribing(gateway: "Gateway") -> Subscribing:
    return Subscribing(gateway.store.configuration.webhooks, gateway.desk, gateway.config.webhooks)


def _batch_parts(gateway: "Gateway") -> BatchParts:
    once = BatchOnce(gateway.batches, gateway.store.requests)
    return BatchParts(gateway.batches, gateway.uploads, gateway.store, once)


def _recording_parts(gateway: "Gateway") -> RecordingParts:
    return RecordingParts(lookup_of(gateway), gateway.switchboard, gateway.keeping, links_of(gateway))


def links_of(gateway: "Gateway") -> RecordingLinks:
    """Links to recordings that work without a key."""
    return RecordingLinks(gateway.store.key_for("recording links"), gateway.config.recordings.link_days)


def lookup_of(gateway: "Gateway") -> Lookup:
    """Finds the record of any call."""
    return Lookup(gateway.switchboard.running, gateway.store, gateway.config.gateway.name)


def _number_parts(gateway: "Gateway") -> NumberParts:
    side = carrier_side(gateway.config)
    return NumberParts(gateway.store, gateway.counter, gateway.linking, gateway.placing.plan, side)


def _do_not_call_parts(gateway: "Gateway") -> DoNotCallParts:
    return DoNotCallParts(
        gateway.store.configuration, gateway.uploads, lambda: gateway.switchboard.active > 0
    )


def _countries(gateway: "Gateway", gate: KeyGate) -> APIRouter:
    provisioning, workspaces = gateway.config.provisioning, gateway.store.configuration.workspaces
    return countries(gate, gateway.placing.plan, workspaces, provisioning.provider, provisioning.prices)


def call_routes(gateway: "Gateway") -> CallRoutes:
    """What the routes about calls ask; the broker's requests are placed by the same."""
    lookup = lookup_of(gateway)
    most, of_workspace = gateway.config.http.max_followers, gateway.config.http.max_followers_per_workspace
    streams = CallStreams(gateway.bus, gateway.recall, lookup, most, of_workspace)
    return CallRoutes(
        once=Idempotency(gateway.placing, gateway.store.requests, lookup),
        lookup=lookup,
        board=gateway.switchboard,
        streams=streams,
        agents=gateway.store.configuration.agents,
        allowed_headers=gateway.config.outbound.headers,
        links=links_of(gateway),
    )


def operator_token(path: Path) -> str:
    """The token of the event stream, made at the first start, readable by its owner only."""
    kept = path.read_text("ascii").strip() if path.exists() else ""
    if len(kept) >= TOKEN_LENGTH:
        return kept
    # There is none, or it was never written, by a start that was killed: an empty one opens nothing.
    token = secrets.token_urlsafe(32)
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    fresh.replace(path)
    return token
