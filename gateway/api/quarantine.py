"""For accountants: orders of shops that wait for a person, why, what the shop said, and what can be decided."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Corrector, Reader, Served
from gateway.api.bodies import described, read_body
from gateway.api.pages import page
from gateway.invoice.facts import RIYADH
from gateway.ledger import Notice

router = APIRouter(tags=["shops"])

_PAGE: Final = 100
Number = Annotated[int, Path(ge=1, le=2**53)]


class Dismissal(BaseModel):
    """Why nothing is to be issued for an order."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=3, max_length=1000, description="Kept in the audit log.")]


BODIES: Final = (Dismissal,)


@router.get("/v1/quarantine", summary="Orders that wait for a person")
async def get_quarantine(
    gateway: Served, who: Reader, cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None
) -> dict[str, Any]:
    """What could not be issued and why, in both languages; `next` is the cursor of the following page."""
    waiting = await gateway.offload(gateway.ledger.quarantine, who.taxpayer_id, before=cursor, limit=_PAGE)
    return page(map(_shown, waiting), waiting[-1].id if len(waiting) == _PAGE else None)


@router.get("/v1/quarantine/{number}", summary="One of them, as the shop gave it")
async def get_waiting(number: Number, gateway: Served, who: Corrector) -> dict[str, Any]:
    """The reason, both sums where they differ, and `payload`: the order as the shop gave it when it was looked at."""
    notice = await gateway.offload(gateway.ledger.waiting_notice, who.taxpayer_id, number)
    return _shown(notice) | {"payload": json.loads(notice.payload) if notice.payload else None}


@router.post("/v1/quarantine/{number}/retry", status_code=202, summary="Look at it again")
async def post_retry(number: Number, request: Request, gateway: Served, who: Corrector) -> dict[str, str]:
    """After it was mended in the shop or in the connection's settings: it is fetched and issued if it can be."""
    now = gateway.now()
    await gateway.offload(gateway.ledger.retry_notice, who.taxpayer_id, number, actor=who.actor, now=now)
    request.app.state.worker.ring()
    return {"status": "due"}


@router.post(
    "/v1/quarantine/{number}/dismissal",
    summary="Nothing is to be issued for it",
    openapi_extra=described(Dismissal),
)
async def post_dismissal(number: Number, request: Request, gateway: Served, who: Corrector) -> dict[str, str]:
    """A person's decision, kept with its reason. If the shop changes the order, it is looked at anew."""
    decided, now = await read_body(request, Dismissal), gateway.now()
    await gateway.offload(
        gateway.ledger.dismiss_notice, who.taxpayer_id, number, reason=decided.reason, actor=who.actor, now=now
    )
    return {"status": "dismissed"}


def _shown(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "order": {"connection": notice.connection_id, "id": notice.order_id},
        "received_at": notice.received_at.astimezone(RIYADH).isoformat(),
        "state": notice.state.value,
        "reason": {name: notice.reason[name] for name in ("en", "ar") if name in notice.reason},
        **{name: notice.reason[name] for name in ("declared", "computed") if name in notice.reason},
    }
