"""For accountants and auditors: shop orders, invoices and ERP postings held against each other."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.api.access import ReportReader, Served
from gateway.api.validate import Turns
from gateway.invoice.period import read_period
from gateway.pipeline.reconcile import Books, account_json, account_of, listed_in_time
from gateway.pipeline.reconcile_page import account_csv, account_page

router = APIRouter(tags=["reports"])


class Form(StrEnum):
    """How the account is written."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


@router.get("/v1/reports/reconciliation", summary="Orders, invoices and postings that do not agree")
async def get_reconciliation(
    request: Request,
    gateway: Served,
    who: ReportReader,
    since: Annotated[date, Query(alias="from", description="First day (Riyadh)")],
    until: Annotated[date, Query(alias="to", description="Last day (Riyadh)")],
    connection: Annotated[str, Query(max_length=100, description="Of one connection only")] = "",
    ask_shops: Annotated[bool, Query(description="Ask the shops for their own lists, which takes longer")] = False,
    form: Annotated[Form, Query(description="JSON, a CSV of the gaps, or a page in both languages")] = Form.JSON,
) -> Response:
    """What is missing where, with amounts. Documents count by their day of issue, orders by the day they were heard of.
    Orders that nobody was told of are found with `ask_shops=true` only, by the day they were placed."""
    books = Books(who.taxpayer_id, read_period(f"{since}..{until}"), connection)
    turns: Turns = request.app.state.turns
    listed = await listed_in_time(gateway, request.app.state.lines, books) if ask_shops else None
    async with turns.free:
        account = await gateway.offload(account_of, gateway, books, listed)
    shown = account_json(books, account, asked_shops=ask_shops)
    if form is Form.CSV:
        return Response(account_csv(shown), media_type="text/csv; charset=utf-8")
    if form is Form.HTML:
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return HTMLResponse(account_page(shown), headers={"Content-Security-Policy": policy})
    return JSONResponse(shown)
