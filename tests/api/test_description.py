"""The OpenAPI description: every route, every answer, the reference platform's field names."""

from typing import Any

from fastapi.routing import APIRoute
from openapi_spec_validator import validate

from gateway.app.http import routers
from tests.api.conftest import Api, client_of
from tests.call.conftest import Build

CREATE = {"phone_number", "agent_id", "metadata", "agent_version_number", "notes"}
CREATED = {"id", "to_phone_number", "agent_id", "agent_version_number"}
ITEM = {"id", "agent_id", "to_number", "from_number", "status", "call_direction", "createdAt", "duration"}
OPERATIONS = {
    "get_health",
    "get_readiness",
    "get_metrics",
    "follow_events",
    "place_call",
    "list_calls",
    "get_call",
    "end_call",
    "follow_call",
    "place_web_call",
    "quote_call",
    "change_recording",
    "get_recording",
    "delete_recording",
    "get_linked_recording",
    "post_transcript",
    "post_extracted",
    "create_batch_call",
    "validate_batch_call",
    "get_batch_template",
    "list_batch_calls",
    "get_batch_call",
    "list_batch_recipients",
    "get_batch_errors",
    "get_batch_results",
    "change_batch_call",
    "change_batch_status",
    "start_batch_call",
    "delete_batch_call",
    "list_webhooks",
    "add_webhook",
    "get_webhook",
    "change_webhook",
    "remove_webhook",
    "list_deliveries",
    "redeliver",
    "list_numbers",
    "search_numbers",
    "check_readiness",
    "get_carrier_setup",
    "get_number",
    "change_number",
    "release_number",
    "check_number",
    "buy_number",
    "link_trunk",
    "try_trunk",
    "try_number_trunk",
    "list_agents",
    "add_agent",
    "get_agent",
    "change_agent",
    "remove_agent",
    "list_versions",
    "publish_version",
    "twilio_call",
    "twilio_change_call",
    "plivo_hang_up",
    "plivo_transfer",
    "plivo_stop_stream",
    "telnyx_hang_up",
    "list_countries",
    "list_enabled_groups",
    "list_number_prices",
    "list_do_not_call",
    "add_do_not_call",
    "upload_do_not_call",
    "remove_do_not_call",
    "get_do_not_call",
    "remove_one_do_not_call",
    "get_workspace",
    "change_workspace",
}
BATCH = {"file", "title", "agent_id", "agent_version_number", "starts_at", "ends_at"} | {
    "calling_hours_start",
    "calling_hours_end",
}
BATCH_ITEM = {"total_lead_count", "sent_lead_count", "picked_up_calls", "picked_up_lead_count"} | {
    "last_call_sent_at",
    "number_of_retries",
    "first_retry_count",
    "second_retry_count",
    "third_retry_count",
    "fourth_retry_count",
    "attempt_stages",
}
BATCH_CREATED = {"id", "title", "total_records", "status", "from_number", "warning"}
BATCH_CALLS = {"callLogs", "total", "page", "limit", "totalPages"}
AFFECTED = {"initiated", "queued", "removedFromQueue", "cancelledCallLogs", "resumedCallLogs"}
FILTERS = {"agent_id", "call_id", "batch_call_id", "from", "to", "type", "call_direction", "latency_min"} | {
    "latency_max",
    "agent_version_id",
    "agent_version_name",
    "sentiment",
    "start_date",
    "end_date",
    "duration_greater_than",
    "duration_less_than",
    "duration_min",
    "duration_max",
    "status",
    "end_reason",
    "page",
    "limit",
    "export",
    "columns",
}


async def described(api: Api) -> dict[str, Any]:
    """What the gateway says of itself, to anybody."""
    answer = await api.client.get("/openapi.json", headers={"Authorization": ""})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in description["paths"].items()
        for method, operation in item.items()
    }


async def test_every_route_is_described(api: Api) -> None:
    """What the gateway serves stands in the description with a sentence, and wants a key below /v1."""
    found = operations(await described(api))
    gateway = api.world.gateway
    served = {
        f"{method} {route.path}"
        for router in routers(gateway, "token")
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert served == set(found)
    assert len(served) >= 9
    for name, operation in found.items():
        assert operation.get("description"), name
        if "vendors" in operation["tags"]:
            assert operation["security"], name
        elif "/v1/" in name:
            assert operation["security"] == [{"ApiKey": []}], name
            assert {"401", "429", "503"} <= set(operation["responses"]), name
        assert "HTTPValidationError" not in str(operation["responses"]), name


async def test_the_description_is_valid(api: Api) -> None:
    """It is OpenAPI 3.1 to the letter, and says where the gateway is that gave it."""
    description = await described(api)
    validate(description)
    assert description["servers"] == [{"url": f"http://127.0.0.1:{api.world.gateway.http.port}"}]


async def test_the_server_is_where_people_reach_it(build: Build) -> None:
    """Behind a proxy the description names the public address."""
    world = await build(WEB__PUBLIC_URL="https://voice.example.com")
    async with client_of(world) as client:
        description = (await client.get("/openapi.json")).json()
    assert description["servers"] == [{"url": "https://voice.example.com"}]


async def test_operations_keep_their_names(api: Api) -> None:
    """A generated client's methods are called by these: a name that changes breaks whoever calls it."""
    found = operations(await described(api))
    assert {operation["operationId"] for operation in found.values()} == OPERATIONS
    assert len(found) == len(OPERATIONS)


async def test_the_references_names_are_there(api: Api) -> None:
    """Requests, answers and filters are called as on the reference platform."""
    description = await described(api)
    schemas = description["components"]["schemas"]
    assert set(schemas["CallBody"]["properties"]) >= CREATE
    assert schemas["CallBody"]["required"] == ["phone_number"]
    assert set(schemas["CallCreated"]["properties"]) >= CREATED | ITEM
    assert set(schemas["CallItem"]["properties"]) >= ITEM | {"end_reason", "batch_call_id"}
    assert set(schemas["Error"]["properties"]) >= {"statusCode", "message", "error"}
    found = operations(description)
    for path in ("/v1/calls", "/v1/batch-calls/{batch_id}"):
        assert {parameter["name"] for parameter in found[f"GET {path}"]["parameters"]} >= FILTERS
    form = found["POST /v1/batch-calls"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) >= BATCH
    assert form["required"] == ["file", "title", "agent_id"]
    assert set(schemas["BatchItem"]["properties"]) >= BATCH_ITEM
    assert set(schemas["BatchCreated"]["properties"]) >= BATCH_CREATED
    assert set(schemas["BatchCalls"]["properties"]) >= BATCH_CALLS
    assert set(schemas["AffectedCalls"]["properties"]) == AFFECTED


async def test_every_field_and_refusal_is_explained(api: Api) -> None:
    """No field, parameter or refusal without its sentence; each refusal has an example of its shape."""
    description = await described(api)
    for name, schema in description["components"]["schemas"].items():
        for field, about in schema.get("properties", {}).items():
            assert about.get("description"), f"{name}.{field}"
    for name, operation in operations(description).items():
        if "vendors" in operation["tags"]:
            continue  # their shapes are the vendors' own
        for parameter in operation.get("parameters", []):
            if name.split()[1].startswith("/v1"):
                assert parameter.get("description"), f"{name}: {parameter['name']}"
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and name.split()[1].startswith("/v1"):
                example = answer["content"]["application/json"]["example"]
                assert example["statusCode"] == int(status)
                assert example["message"]
