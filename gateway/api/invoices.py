"""For accountants: what became of it."""

from collections.abc import Callable, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from gateway import qr
from gateway.answer import answer
from gateway.api.access import Caller, Examiner, May, Reader, Served, demand
from gateway.api.openapi import problem_because
from gateway.api.pages import page
from gateway.errors import Unknown
from gateway.invoice.facts import RIYADH
from gateway.invoice.period import day_begins, day_ends, possible
from gateway.issued import Status
from gateway.ledger import Filter, LinkBack
from gateway.pipeline.erps import posting_json
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.share import buyers_copy

router = APIRouter(tags=["invoices"])

_DRAWN_ONCE: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


_UNCLEARED: Final = {"X-Gateway-Uncleared": "true", "Cache-Control": "no-store"}


def _as(media_type: str) -> dict[str, Any]:
    """What a route says of itself in OpenAPI that gives a buyer's copy, in something else than JSON."""
    not_cleared = problem_because("A standard document that is not cleared; buyers may not have it yet")
    return {"response_class": Response, "responses": {200: {"content": {media_type: {}}}, 409: not_cleared}}


@router.get("/v1/invoices", summary="Documents, newest first")
async def list_invoices(
    gateway: Served,
    who: Reader,
    status: Annotated[Status | None, Query()] = None,
    connection: Annotated[str, Query(max_length=100)] = "",
    order: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[str, Query(max_length=127)] = "",
    buyer: Annotated[str, Query(max_length=200, description="Part of the name, or the VAT number")] = "",
    since: Annotated[date | None, Query(alias="from", description="First day of issue (Riyadh)")] = None,
    until: Annotated[date | None, Query(alias="to", description="Last day of issue (Riyadh)")] = None,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """A page of documents; `next` is the cursor of the following page, absent on the last."""
    scope = who.scope
    first = max((day for day in (since, scope.first) if day), default=None)
    last = min((day for day in (until, scope.last) if day), default=None)
    wanted = Filter(
        status=status,
        connection=connection,
        order=order,
        number=number,
        buyer=buyer,
        since=day_begins(possible(first)) if first else None,
        until=day_ends(possible(last)) if last else None,
        unit=scope.unit,
    )
    found = await gateway.offload(gateway.ledger.invoices, who.taxpayer_id, wanted, cursor=cursor, limit=limit)
    return page((answer(each, base_url=gateway.settings.address) for each in found.items), found.next)


@router.get("/v1/invoices/{uuid}", summary="One document as it stands")
async def get_invoice(uuid: str, gateway: Served, who: Reader) -> dict[str, Any]:
    """Number, status, sums, QR, what the authority found, and how it stands in the books of ERPs."""
    issued = await gateway.offload(gateway.ledger.invoice, who.taxpayer_id, uuid)
    postings = await gateway.offload(gateway.ledger.postings_of, who.taxpayer_id, uuid)
    shown = answer(issued, base_url=gateway.settings.address)
    return shown | {"postings": [posting_json(each) for each in postings]}


class Form(StrEnum):
    """Which bytes of a document are asked for."""

    SHARED = "shared"
    STAMPED = "stamped"


@router.get("/v1/invoices/{uuid}/xml", summary="The document itself", **_as("application/xml"))
async def get_xml(
    uuid: str,
    gateway: Served,
    who: Reader,
    form: Annotated[
        Form, Query(description="`stamped`: as it was stamped and sent, for those who examine")
    ] = Form.SHARED,
) -> Response:
    """The XML to keep and to share: of a standard document the authority's cleared one, and nothing before it is there.
    Where the connection shares uncleared documents in an outage, `X-Gateway-Uncleared: true` says that this is one."""
    if form is Form.STAMPED:
        demand(who, May.READ_EXCHANGES)
        xml = await gateway.offload(gateway.ledger.stamped_xml, who.taxpayer_id, uuid)
        return Response(xml, media_type="application/xml")
    copy = await gateway.offload(
        buyers_copy, gateway, who.taxpayer_id, uuid, actor=who.actor, only_looks=who.only_looks
    )
    return Response(copy.xml, media_type="application/xml", headers=_UNCLEARED if copy.uncleared else {})


@router.get("/v1/invoices/{uuid}/qr.svg", summary="The QR as a picture (SVG)", **_as("image/svg+xml"))
async def get_qr_svg(uuid: str, gateway: Served, who: Reader) -> Response:
    """The picture a buyer scans; of the same document as the XML."""
    return await _picture(gateway, who, uuid, qr.svg, "image/svg+xml")


@router.get("/v1/invoices/{uuid}/qr.png", summary="The QR as a picture (PNG)", **_as("image/png"))
async def get_qr_png(uuid: str, gateway: Served, who: Reader) -> Response:
    """The picture a buyer scans; of the same document as the XML."""
    return await _picture(gateway, who, uuid, qr.png, "image/png")


async def _picture(gateway: Gateway, who: Caller, uuid: str, draw: Callable[[str], bytes], media_type: str) -> Response:
    copy = await gateway.offload(
        buyers_copy, gateway, who.taxpayer_id, uuid, actor=who.actor, only_looks=who.only_looks
    )
    picture = await gateway.offload(draw, copy.qr)
    # A cleared document has another QR, so that of an uncleared one is not kept.
    return Response(picture, media_type=media_type, headers=_UNCLEARED if copy.uncleared else _DRAWN_ONCE)


@router.get("/v1/invoices/{uuid}/attempts", summary="Every exchange with the authority about it")
async def get_attempts(uuid: str, gateway: Served, who: Examiner) -> dict[str, Any]:
    """When it was sent, what came back, word for word."""
    await gateway.offload(gateway.ledger.invoice, who.taxpayer_id, uuid)
    issued = await gateway.offload(gateway.ledger.invoice, who.taxpayer_id, uuid)
    attempts = await gateway.offload(gateway.ledger.attempts, who.taxpayer_id, issued.uuid)
    return {
        "items": [
            {
                "attempt": each.number,
                "phase": each.phase,
                "at": each.at.astimezone(RIYADH).isoformat(),
                "http_status": each.http_status,
                "outcome": each.outcome.value if each.outcome else None,
                "answer": each.body.decode("utf-8", "replace") if each.body else None,
                "wire": dict(each.wire),
            }
            for each in attempts
        ]
    }


@router.get("/v1/orders/{connection}/{order_id:path}", summary="The documents of one order")
async def get_order(connection: str, order_id: str, gateway: Served, who: Reader) -> dict[str, Any]:
    """Every document made of an order, oldest first."""
    documents = await gateway.offload(gateway.ledger.order_documents, who.taxpayer_id, connection, order_id)
    if not documents:
        raise Unknown(
            f"No document was made of order {order_id} of connection {connection}.",
            fix="/v1/quarantine lists the orders of shops that wait for a person, and why.",
            ar=f"لم يصدر مستند للطلب {order_id}. راجع قائمة الطلبات المعلقة (/v1/quarantine).",
        )
    uuids = [each.uuid for each in documents]
    links = await gateway.offload(gateway.ledger.links_of_order, who.taxpayer_id, connection, uuids)
    shown = [answer(each, base_url=gateway.settings.address) for each in documents]
    return {"items": [each | {"written_back": _links(links, each["uuid"])} for each in shown]}


def _links(links: Sequence[LinkBack], uuid: str) -> list[dict[str, Any]]:
    """How the document's way back to its shop stands; empty for an order of the API."""
    return [
        {
            "state": each.state.value,
            "at": each.changed_at.astimezone(RIYADH).isoformat(),
            "attempts": each.attempts,
            "receipt": each.receipt,
            "error": each.error,
        }
        for each in links
        if each.uuid == uuid
    ]
