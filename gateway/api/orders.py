"""For ERPs: an order comes in, a document comes out."""

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse

from gateway.answer import answer
from gateway.api.access import Sender, Served
from gateway.api.openapi import problem_because, schema_ref
from gateway.invoice.facts import Profile
from gateway.issued import Issued, Status
from gateway.ledger import Appended
from gateway.order import read_order
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import Request as IssueRequest
from gateway.pipeline.notes import settle
from gateway.pipeline.preview import preview_json, preview_of
from gateway.pipeline.share import is_kept_back

router = APIRouter(tags=["orders"])

LONGEST_WAIT: Final = 30.0
"""Seconds that `Prefer: wait` may ask for at most."""
_FIRST_LOOK: Final = 0.05
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks for a verdict, after the first ones: many may wait at once, and each look is a read of the
ledger that the sending itself has to share."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": schema_ref("Order")}}},
    }
}


@router.post(
    "/v1/orders",
    status_code=201,
    summary="An order becomes its document",
    openapi_extra=_BODY,
    responses={
        200: {"description": "The same order again: the same document"},
        202: {
            "description": "Made; its stamp is still to follow, or its verdict was open when the caller's wait ended"
        },
        409: problem_because("The same order or key with other content"),
        422: problem_because("The order cannot be used, or does not close; nothing was consumed"),
    },
)
async def post_order(
    request: Request,
    gateway: Served,
    who: Sender,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    prefer: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Issue the document of an order, or find the one that was issued before.

    With `Prefer: wait=10` the answer waits up to that many seconds for the authority's verdict.
    """
    body = await request.body()
    order = read_order(body)
    wanted = IssueRequest(who.taxpayer_id, who.actor, order, idempotency_key)
    desks: Gateway = request.app.state.desks
    appended = await desks.offload(settle, gateway, wanted)
    return await answered(request, who.taxpayer_id, appended, prefer)


@router.post(
    "/v1/preview",
    summary="What an order would become; nothing is consumed",
    openapi_extra=_BODY,
    responses={422: problem_because("The order cannot be used, or does not close")},
)
async def post_preview(request: Request, gateway: Served, who: Sender) -> dict[str, Any]:
    """The document that would be issued, what was decided and why, where each halala goes, and the findings."""
    order = read_order(await request.body())
    shown = await gateway.offload(preview_of, gateway, IssueRequest(who.taxpayer_id, who.actor, order))
    return preview_json(shown, order)


async def answered(request: Request, taxpayer_id: str, appended: Appended, prefer: str | None) -> Response:
    """The document that was made or found, with its verdict if the caller waits for it and it comes in time."""
    gateway: Gateway = request.app.state.gateway
    issued, waited = appended.issued, _seconds(prefer)
    request.app.state.worker.ring_for(issued, awaited=bool(waited) or issued.profile is Profile.STANDARD)
    if waited:
        issued = await _verdict(gateway, taxpayer_id, issued, waited)
    status = 201 if appended.created else 200
    if (waited and not issued.status.is_final) or issued.status is Status.UNSTAMPED:
        status = 202
    headers = {"Location": f"/v1/invoices/{issued.uuid}"}
    return JSONResponse(answer(issued, base_url=gateway.settings.address), status, headers)


async def _verdict(gateway: Gateway, taxpayer_id: str, issued: Issued, seconds: float) -> Issued:
    """The document once its verdict is in, or as it stands when the wait ends."""
    deadline, pause = asyncio.get_running_loop().time() + seconds, _FIRST_LOOK
    while not issued.status.is_final and asyncio.get_running_loop().time() < deadline:
        if await gateway.offload(is_kept_back, gateway, taxpayer_id, issued):
            break  # its verdict will not come in time, so the caller need not wait either
        await asyncio.sleep(pause)
        pause = min(pause * 1.25, _LOOK_EVERY)
        issued = await gateway.offload(gateway.ledger.invoice, taxpayer_id, issued.uuid)
    return issued


def _seconds(prefer: str | None) -> float:
    """RFC 7240 `wait`, within our limit; what cannot be read is ignored, as that RFC asks."""
    found = re.search(r"\bwait=(\d{1,4})\b", prefer or "")
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0
