"""The OpenAPI description: every route, every answer, the reference platform's field names."""

from typing import Any

from fastapi.routing import APIRoute

from tests.api.conftest import Api

CREATE = {"phone_number", "agent_id", "metadata", "agent_version_number", "notes"}
CREATED = {"id", "to_phone_number", "agent_id", "agent_version_number"}
ITEM = {"id", "agent_id", "to_number", "from_number", "status", "call_direction", "createdAt", "duration"}
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
    gateway = api.house.gateway
    served = {
        f"{method} {route.path}"
        for router in gateway._routers("token")
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
            assert operation["security"] == [{"API key": []}], name
            assert {"401", "429", "503"} <= set(operation["responses"]), name
        assert "HTTPValidationError" not in str(operation["responses"]), name


async def test_the_references_names_are_there(api: Api) -> None:
    """Requests, answers and filters are called as on the reference platform."""
    description = await described(api)
    schemas = description["components"]["schemas"]
    assert set(schemas["CallBody"]["properties"]) >= CREATE
    assert schemas["CallBody"]["required"] == ["phone_number"]
    assert set(schemas["CallCreated"]["properties"]) >= CREATED | ITEM
    assert set(schemas["CallItem"]["properties"]) >= ITEM | {"end_reason", "batch_call_id"}
    assert set(schemas["Error"]["properties"]) >= {"statusCode", "message", "error"}
    listing = operations(description)["GET /v1/calls"]
    assert {parameter["name"] for parameter in listing["parameters"]} >= FILTERS


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
