"""For ERPs and accountants: a document is corrected by a note, or by another in its place where it was rejected."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response

from gateway.api.access import Corrector, Served
from gateway.api.openapi import problem_because, schema_ref
from gateway.api.orders import answered
from gateway.order import read_addition, read_order, read_refund
from gateway.pipeline.issue import Request as IssueRequest
from gateway.pipeline.issue import correct
from gateway.pipeline.notes import NoteRequest, correct_note, credit, debit, is_note

router = APIRouter(tags=["notes"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Prefer = Annotated[str | None, Header(max_length=200)]

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The same again: the same document"},
    202: {"description": "Made; its verdict was still open when the caller's wait ended"},
    409: problem_because("More than is left of the document, or a document that a note cannot correct"),
    422: problem_because("The request cannot be used, or does not close; nothing was consumed"),
}


def _body(*schemas: str) -> dict[str, Any]:
    refs = [{"$ref": schema_ref(each)} for each in schemas]
    schema: dict[str, Any] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    "/v1/invoices/{uuid}/credit-notes",
    status_code=201,
    summary="A refund becomes a credit note",
    openapi_extra=_body("Refund"),
    responses=_ANSWERS,
)
async def post_credit_note(
    uuid: str, request: Request, gateway: Served, who: Corrector, key: Key = None, prefer: Prefer = None
) -> Response:
    """Give back lines, everything, or money of a document; never more than is left of it."""
    refund = read_refund(await request.body())
    wanted = NoteRequest(who.taxpayer_id, who.actor, uuid, key)
    return await answered(request, who.taxpayer_id, await gateway.offload(credit, gateway, wanted, refund), prefer)


@router.post(
    "/v1/invoices/{uuid}/debit-notes",
    status_code=201,
    summary="What was added to a sale becomes a debit note",
    openapi_extra=_body("Addition"),
    responses=_ANSWERS,
)
async def post_debit_note(
    uuid: str, request: Request, gateway: Served, who: Corrector, key: Key = None, prefer: Prefer = None
) -> Response:
    """Charge lines beyond what a document charged."""
    addition = read_addition(await request.body())
    wanted = NoteRequest(who.taxpayer_id, who.actor, uuid, key)
    return await answered(request, who.taxpayer_id, await gateway.offload(debit, gateway, wanted, addition), prefer)


@router.post(
    "/v1/invoices/{uuid}/correction",
    status_code=201,
    summary="A corrected document takes the place of a rejected one",
    openapi_extra=_body("Order", "Refund", "Addition"),
    responses=_ANSWERS,
)
async def post_correction(
    uuid: str, request: Request, gateway: Served, who: Corrector, prefer: Prefer = None
) -> Response:
    """What the rejected document was made of, corrected: the order, or of a note its refund or addition."""
    body = await request.body()
    if await gateway.offload(is_note, gateway, who.taxpayer_id, uuid):
        made = await gateway.offload(correct_note, gateway, who.taxpayer_id, who.actor, uuid, body)
    else:
        wanted = IssueRequest(who.taxpayer_id, who.actor, read_order(body))
        made = await gateway.offload(correct, gateway, uuid, wanted)
    return await answered(request, who.taxpayer_id, made, prefer)
