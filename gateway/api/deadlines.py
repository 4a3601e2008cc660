"""For accountants and operators: what the authority does not have yet, and what it warned of."""

from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from gateway.api.access import ReportReader, Served
from gateway.errors import BadInput
from gateway.invoice.facts import EARLIEST, LATEST, RIYADH
from gateway.invoice.period import day_begins, day_ends
from gateway.pipeline.deadlines import backlog, backlog_json, soonest_first
from gateway.pipeline.failure_notice import failure_notice
from gateway.pipeline.trends import MAY_BE_REJECTIONS, trend_json

router = APIRouter(tags=["reports"])

_QUARTER: Final = timedelta(days=90)


@router.get("/v1/deadlines", summary="What the authority does not have yet")
async def get_deadlines(gateway: Served, who: ReportReader) -> dict[str, Any]:
    """By unit and profile: how many, how old, how long until their 24 hours are over. The most urgent first."""
    found = await gateway.offload(backlog, gateway, who.taxpayer_id)
    now = gateway.now()
    return {"items": [backlog_json(each, now) for each in soonest_first(found)]}


@router.get("/v1/deadlines/notice", summary="The failure notice, made ready")
async def get_notice(
    gateway: Served,
    who: ReportReader,
    since: Annotated[AwareDatetime | None, Query(description="When the failure began, with its zone")] = None,
) -> dict[str, Any]:
    """What the authority's Failure Notification service is told, as facts and as a text in Arabic and English; `due`
    says whether the law asks for it."""
    if since and not EARLIEST < since.date() < LATEST:
        raise BadInput(f"No failure began on {since.date()}.", fix="Give the moment it began, or leave it out.")
    notice = await gateway.offload(failure_notice, gateway, who.taxpayer_id, since=since)
    return notice.as_json()


@router.get("/v1/reports/warnings", summary="What the authority warned of, by rule")
async def get_warnings(
    gateway: Served,
    who: ReportReader,
    since: Annotated[
        date | None, Query(alias="from", description="First day (Riyadh); if left out, 90 days back")
    ] = None,
    until: Annotated[date | None, Query(alias="to", description="Last day (Riyadh); today if left out")] = None,
) -> dict[str, Any]:
    """How often each rule was warned of, when first and last, week by week, with an example. The documents were
    accepted; what is a warning today may become a rejection."""
    last = min(until or gateway.now().astimezone(RIYADH).date(), LATEST)
    first = max(since or max(last, EARLIEST + _QUARTER) - _QUARTER, EARLIEST)
    found = await gateway.offload(
        gateway.ledger.warning_trends, who.taxpayer_id, since=day_begins(first), until=day_ends(last)
    )
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "note": MAY_BE_REJECTIONS._asdict(),
        "items": [trend_json(each) for each in found],
    }
