"""`/v1/workspace`: the workspace that a key belongs to, and what it may change of it."""

from decimal import Decimal
from typing import Annotated, Any

import phonenumbers
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import json
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Problem, invalid
from gateway.routing.table import Workspace
from gateway.store.configuration.nouns import Configuration

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)


class WorkspaceChange(BaseModel):
    """What is to change of the workspace; what is left out stays."""

    model_config = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")

    timezone: Annotated[str | None, Field(max_length=64, examples=["Asia/Kolkata"])] = None
    "A name of the IANA database, in any case."
    default_country: Annotated[
        str | None, Field(max_length=8, json_schema_extra={"enum": [*COUNTRIES, "", None]})
    ] = None
    "Two letters: numbers in files and lists may be written as they are dialled there; null or empty: none."


class WorkspaceItem(BaseModel):
    """The workspace."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: Annotated[str, Field(examples=["org_01m85m1gbt83exwnbdjt8m8z3n"])]
    "`org_…`"
    name: str
    "What people call it."
    timezone: Annotated[str, Field(examples=["Asia/Kolkata"])]
    "Of its days and hours."
    default_country: Annotated[str | None, Field(examples=["IN"])]
    "Whose numbers may be written without their calling code; null: nobody’s."
    kyc_verified: bool
    "Whether it may call others than its verification number."
    verification_number: str | None
    "The owner’s own number."
    sip_byoc_enabled: bool
    "It brings its own carrier: the rules for countries do not apply."
    concurrency_limit: int | None
    "Calls at once; null: no limit."
    currency: Annotated[str, Field(examples=["INR"])]
    "Of its prices."
    sip_flat_rate: Annotated[str | None, Field(examples=["0.35"])]
    "Price of a minute by a SIP trunk; null: none is set."


def workspace(gate: KeyGate, there: Configuration) -> APIRouter:
    """The routes about the workspace."""
    router = APIRouter(prefix="/v1/workspace", tags=["workspace"])

    @router.get("", response_model=WorkspaceItem, responses=answers())
    async def get_workspace(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """The workspace of the key that asks."""
        return json(_item(await there.workspaces.get(caller.workspace_id)))

    @router.patch("", response_model=WorkspaceItem, responses=answers(400))
    async def change_workspace(body: WorkspaceChange, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Change its time zone, or the country whose numbers may be written as they are dialled there."""
        fields: dict[str, Any] = {name: getattr(body, name) or None for name in body.model_fields_set}
        if "timezone" in fields and fields["timezone"] is None:
            raise invalid(Problem("timezone", body.timezone, "should be a name such as Asia/Kolkata, or UTC"))
        return json(_item(await there.workspaces.change(caller.workspace_id, fields, caller.by)))

    return router


def _item(workspace: Workspace) -> dict[str, Any]:
    fields = {name: getattr(workspace, name) for name in WorkspaceItem.model_fields}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
