"""For ERPs that write UBL themselves: their own unsigned document comes in, judged, linked, stamped and sent."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Sender, Served
from gateway.api.openapi import problem_because
from gateway.api.orders import answered
from gateway.api.validate import Turns
from gateway.pipeline.documents import Handed, hand_in, judge
from gateway.pipeline.gateway import Gateway

router = APIRouter(tags=["documents"])

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/xml": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/v1/documents",
    status_code=201,
    summary="An ERP's own UBL document is stamped and sent",
    openapi_extra=_BODY,
    responses={
        200: {"description": "The same document again, or a dry run: nothing was made"},
        202: {
            "description": "Made; its stamp is still to follow, or its verdict was open when the caller's wait ended"
        },
        400: problem_because("This is no XML that may be read"),
        409: problem_because("The same number, UUID or key with other content; more than is left of an original"),
        422: problem_because("The document breaks rules or cannot be used; nothing was consumed"),
        503: problem_because("Not now, such as a moment of issue a few seconds ahead of the clock here"),
    },
)
async def post_document(
    request: Request,
    gateway: Served,
    who: Sender,
    connection: Annotated[str, Query(min_length=1, max_length=100, description="The ERP's connection")],
    unit: Annotated[str, Query(max_length=100, description="Another unit than the connection's")] = "",
    replaces: Annotated[
        str | None, Query(max_length=36, description="The rejected document of this number that it takes the place of")
    ] = None,
    dry_run: Annotated[bool, Query(description="Judge it only; nothing is kept")] = False,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    prefer: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Issue the unsigned UBL invoice in the body. Number (BT-1), dates and sums are the ERP's; UUID (unless given),
    counter, previous hash, QR and signature are the gateway's. The number is the natural key: the same document again
    is the one made before.

    `IssueDate` and `IssueTime` are the moment of issue: not ahead of the clock, at most 24 hours back. With
    `Prefer: wait=10` the answer waits up to that many seconds for the authority's verdict. With `dry_run=true` the
    answer says whether it would be issued.
    """
    handed = Handed(who.taxpayer_id, who.actor, connection, await request.body(), unit, idempotency_key, replaces)
    if dry_run:
        turns: Turns = request.app.state.turns
        async with turns.free:
            judged = await gateway.offload(judge, gateway, handed)
        return JSONResponse(judged.as_json())
    desks: Gateway = request.app.state.desks
    appended = await desks.offload(hand_in, gateway, handed)
    return await answered(request, who.taxpayer_id, appended, prefer)
