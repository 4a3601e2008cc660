"""The command that holds shop orders, invoices and ERP postings against each other."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.commands.console import table
from gateway.commands.streams import print_json
from gateway.commands.units import choose_taxpayer, installation, taxpayer_option
from gateway.invoice.period import read_period
from gateway.pipeline.backfill import Foreseen
from gateway.pipeline.gateway import Gateway, online
from gateway.pipeline.reconcile import Books, account_json, account_of, listed_by_shops
from gateway.pipeline.reconcile_page import account_csv, account_page

_DAY = click.DateTime(["%Y-%m-%d"])
_FILE = click.Path(dir_okay=False, path_type=Path)
_SIDES = ("Connection", "Currency", "No invoice", "Documents", "Invoiced", "Accepted", "ERP", "Due", "Posted")
_GAPS = ("Gap", "Connection", "Order", "Number", "ERP", "Ordered", "Invoiced", "Posted")


@click.command("reconcile", short_help="Orders, invoices and ERP postings that do not agree.")
@click.option("--from", "since", type=_DAY, required=True, metavar="DAY", help="First day (Riyadh).")
@click.option("--to", "until", type=_DAY, required=True, metavar="DAY", help="Last day (Riyadh).")
@click.option("--connection", default="", help="Of one connection only.")
@click.option("--ask-shops", is_flag=True, help="Ask the shops for their own lists, which opens every order.")
@click.option("--csv", "csv_file", metavar="FILE", type=_FILE, help="Write the gaps as CSV.")
@click.option("--html", "html_file", metavar="FILE", type=_FILE, help="Write a page in both languages.")
@taxpayer_option("Whose books")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def reconcile_command(
    since: datetime,
    until: datetime,
    connection: str,
    ask_shops: bool,
    csv_file: Path | None,
    html_file: Path | None,
    taxpayer: str | None,
    as_json: bool,
) -> None:
    """What shop orders, invoices with the authority's verdicts, and ERP postings of some days lack of each other.

    Documents count by their day of issue, orders by the day they were heard of. Orders that nobody was told of are
    found with --ask-shops only. Exit 0: all agree; 1: something is missing, or has another total.
    """
    period = read_period(f"{since.date()}..{until.date()}")
    with installation() as gateway:
        books = Books(choose_taxpayer(gateway, taxpayer), period, connection)
        listed = asyncio.run(_listed(gateway, books)) if ask_shops else None
        account = account_of(gateway, books, listed)
    shown = account_json(books, account, asked_shops=ask_shops)
    if csv_file:
        csv_file.write_text(account_csv(shown), encoding="utf-8-sig", newline="")
    if html_file:
        html_file.write_text(account_page(shown), encoding="utf-8")
    print_json(shown) if as_json else _print(shown)
    raise SystemExit(0 if account.agrees else 1)


async def _listed(gateway: Gateway, books: Books) -> dict[tuple[str, str], Foreseen]:
    async with online(gateway) as lines:
        return await listed_by_shops(gateway, lines, books)


def _print(shown: dict[str, Any]) -> None:
    sums = ("connection", "currency", "orders_without_invoice", "documents", "invoiced", "accepted")
    sides = [
        (*(each[name] for name in sums), erp["erp"], erp["due"], erp["posted"])
        for each in shown["sides"]
        for erp in each["erps"] or [{"erp": "", "due": "", "posted": ""}]
    ]
    table(f"{shown['from']} .. {shown['to']}", _SIDES, sides, right=_SIDES[2:6] + _SIDES[7:])
    names = ("gap", "connection", "order", "number", "erp", "ordered", "invoiced", "posted")
    gaps = [tuple(each[name] or "" for name in names) for each in shown["gaps"]]
    if gaps:
        table("Gaps", _GAPS, gaps, right=_GAPS[5:])
    else:
        click.echo("They agree.")
