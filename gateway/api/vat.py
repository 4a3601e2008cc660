"""For accountants and auditors: the sales of a period by the fields of the VAT return, and what is behind them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from gateway.api.access import Caller, ReportReader, Served
from gateway.api.pages import page
from gateway.api.validate import Turns
from gateway.errors import Forbidden
from gateway.invoice.period import read_period
from gateway.invoice.vat_return import Box, By, Standing
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.vat_json import documents_behind, report_json
from gateway.pipeline.vat_report import Question, VatReport, vat_report

router = APIRouter(tags=["reports"])

PeriodText = Annotated[
    str, Query(max_length=40, description="2026-07, 2026-Q3, 2026 or 2026-07-01..2026-09-15; days in Riyadh")
]
ByDay = Annotated[By, Query(description="The day that counts: the earlier of supply and issue, or the day of issue")]
OfUnit = Annotated[str, Query(max_length=100, description="Of one unit only; a return is for all")]


@router.get("/v1/reports/vat", summary="The sales of a period by the fields of the VAT return")
async def get_vat(
    request: Request,
    gateway: Served,
    who: ReportReader,
    period: PeriodText,
    by: ByDay = By.TAX_POINT,
    unit: OfUnit = "",
    prove: Annotated[bool, Query(description="Compare with the XML of every document, which takes longer")] = False,
) -> dict[str, Any]:
    """What was sold, by field, kind, category and rate, in SAR. Documents count that the authority has; those it lacks
    are under `open`, rejected ones under `look_at`. What the ledger cannot know is under `not_in_here`."""
    question = await _asked(gateway, who, period, by, unit)
    turns: Turns = request.app.state.turns
    async with turns.free:
        report: VatReport = await gateway.offload(vat_report, gateway.ledger, question, now=gateway.now(), prove=prove)
    return report_json(report)


@router.get("/v1/reports/vat/documents", summary="The documents behind a field of the VAT return")
async def get_vat_documents(
    request: Request,
    gateway: Served,
    who: ReportReader,
    period: PeriodText,
    by: ByDay = By.TAX_POINT,
    unit: OfUnit = "",
    box: Annotated[Box | None, Query(description="The field; all if left out")] = None,
    standing: Annotated[Standing, Query(description="Those that count, or those not reported yet")] = Standing.COUNTED,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Every figure of up to `limit` documents, oldest first; `next` is the cursor of the following page. All pages
    together add up to the field."""
    question = await _asked(gateway, who, period, by, unit)
    turns: Turns = request.app.state.turns
    async with turns.free:
        found = await gateway.offload(
            documents_behind, gateway.ledger, question, box, standing, cursor=cursor, limit=limit
        )
    return page(found.items, found.next)


async def _asked(gateway: Gateway, who: Caller, period: str, by: By, unit: str) -> Question:
    """The question, within what the caller's key sees: by day of issue too, for that is what bounds a key."""
    scope = who.scope
    question = Question(who.taxpayer_id, read_period(period), by, unit or scope.unit)
    if question.unit:
        await gateway.offload(gateway.ledger.unit, who.taxpayer_id, question.unit)
    wanted = question.period
    if scope.is_narrow and (
        question.unit != (scope.unit or question.unit)
        or wanted.first < (scope.first or wanted.first)
        or wanted.last > (scope.last or wanted.last)
        or (by is not By.ISSUE and (scope.first or scope.last))
    ):
        raise Forbidden(
            "This key sees less than that report shows.",
            fix="Ask for its own unit, days within its own, and by=issue: its days are days of issue.",
            ar="نطاق هذا المفتاح أضيق من هذا التقرير. اطلب وحدته وأيامه بحسب تاريخ الإصدار (by=issue).",
        )
    return question
