"""`/v1/rates`: what calls cost."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import json
from gateway.api.description import Decision, answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Answer, Declined, Problem, answer_to, invalid
from gateway.call.money.price_quotes import PriceQuotes
from gateway.routing.number import normalise
from gateway.routing.quoting import is_no_number
from gateway.routing.typed import cleaned
from gateway.store.configuration.rules import NUMBER_RIGHT

Number = Annotated[str | None, Query(max_length=64, description="In E.164: `+919812345678`.")]
AgentId = Annotated[str | None, Query(max_length=64, description="Whose number would call.")]
Kind = Annotated[Literal["phone", "web"], Query(alias="type", description="A web call has no carrier price.")]


class QuotedPrice(BaseModel):
    """What a call of some minutes would come to."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    minutes: int
    "How long it is connected."
    billed_seconds: int
    "After rounding up to increments."
    price: str
    "Decimal."


class RateQuote(BaseModel):
    """What a call would cost, and whether it would be placed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    to: str
    "The number that would be called; empty for a web call."
    from_: Annotated[str | None, Field(alias="from")] = None
    "The number that would call."
    allowed: bool
    "Whether the call would be placed; limits of concurrency aside."
    reason: str | None = None
    "Why not, for a program."
    message: str | None = None
    "Why not, for a person."
    source: Literal["deck", "flat_rate", "web_call", "none"]
    "Where the price comes from; `none`: there is no price."
    provider: str | None = None
    "Whose numbers the rate deck is for."
    prefix: str | None = None
    "The longest prefix of the called number that has a rate."
    destination: str | None = None
    "Its country and network group."
    currency: str | None = None
    "Of every amount."
    per_minute: str | None = None
    "Decimal."
    connection_fee: str | None = None
    "Decimal; once for each answered call."
    increment: str | None = None
    "`60/60`: the first seconds that every answered call costs, and the steps after them."
    why: str | None = None
    "The price explained in a sentence."
    prices: list[QuotedPrice]
    "What calls of 1, 5 and 10 minutes would come to."
    balance: str | None = None
    "Decimal; what the wallet has for new calls; null where the workspace has none."
    decision: Decision | None = None
    "Every check that was made."


def rates(gate: KeyGate, offers: PriceQuotes) -> APIRouter:
    """The routes about prices."""
    router = APIRouter(prefix="/v1/rates", tags=["rates"])

    @router.get("/quote", response_model=RateQuote, responses=answers(400))
    async def quote_call(
        caller: Annotated[Caller, Depends(gate)],
        to: Number = None,
        from_: Annotated[Number, Query(alias="from")] = None,
        agent_id: AgentId = None,
        kind: Kind = "phone",
    ) -> Response:
        """What a call would cost, and why; also where it would be refused, and then why that."""
        if kind == "web":
            return json((await offers.web(caller.workspace_id)).as_dict())
        if to is None:
            raise invalid(Problem("to", None, "is required"))
        offer = await offers.call(caller.workspace_id, to, from_, agent_id)
        if is_no_number(offer) and offer.refusal is not None:
            raise _renamed(answer_to(offer.refusal), "phone_number", "to")
        if from_ is not None and not normalise(cleaned(from_)).readings:
            raise invalid(Problem("from", from_, NUMBER_RIGHT))
        return json(offer.as_dict())

    return router


def _renamed(answer: Answer, name: str, here: str) -> Declined:
    """The same refusal, of a field that has another name here."""
    problems = [replace(problem, field=here) for problem in answer.problems]
    return Declined(replace(answer, message=str(answer.message).replace(name, here), problems=problems))
