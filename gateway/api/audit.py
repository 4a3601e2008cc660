"""For auditors and admins: who did what, and who looked at what."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.api.access import AuditReader, Served
from gateway.api.pages import page
from gateway.invoice.period import day_begins, day_ends, possible
from gateway.ledger import AuditFilter
from gateway.pipeline.audit_json import entry_json

router = APIRouter(tags=["audit"])


@router.get("/v1/audit", summary="The audit log, newest first")
async def get_audit(
    gateway: Served,
    who: AuditReader,
    actor: Annotated[str, Query(max_length=200, description="Who: key:ID, command line, gateway")] = "",
    action: Annotated[str, Query(max_length=100, description="What: document.issued, look, key.added, ...")] = "",
    target: Annotated[str, Query(alias="object", max_length=500, description="To what: a UUID, a key, a path")] = "",
    since: Annotated[date | None, Query(alias="from", description="First day (Riyadh)")] = None,
    until: Annotated[date | None, Query(alias="to", description="Last day (Riyadh)")] = None,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="What the page before gave as `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """What was done and looked at, by whom and when; `next` is the cursor of the following page."""
    wanted = AuditFilter(
        actor=actor,
        action=action,
        object=target,
        since=day_begins(possible(since)) if since else None,
        until=day_ends(possible(until)) if until else None,
    )
    found = await gateway.offload(gateway.ledger.audit_page, who.taxpayer_id, wanted, before=cursor, limit=limit)
    return page(map(entry_json, found.items), found.next)
