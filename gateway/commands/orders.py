"""Commands over orders: what a shop's payload means, what would be issued, issue it, what became of it."""

import asyncio
import os
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, NamedTuple

import click

from gateway.answer import answer
from gateway.chain import first_link
from gateway.commands.console import out, table
from gateway.commands.streams import print_json, read_input, read_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation
from gateway.connection import Connection
from gateway.errors import BadInput, DoesNotClose, NotCompliant, Unknown, UnusableOrder
from gateway.invoice.facts import RIYADH, Invoice
from gateway.invoice.from_order import invoice_of
from gateway.issued import Issued
from gateway.ledger import Filter, Notice
from gateway.order import Order, read_order
from gateway.pipeline.gateway import Gateway, online
from gateway.pipeline.intake import reason_of
from gateway.pipeline.issue import Request, not_compliant, preview
from gateway.pipeline.issue import issue as issue_order
from gateway.rules import Report
from gateway.stores import STORES
from gateway.unit import Environment, Unit
from gateway.unit_file import read_unit
from gateway.worker import Worker

platform_choice = click.Choice(sorted(STORES))
_NO_UUID = "00000000-0000-4000-8000-000000000000"


def _setting(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise BadInput(f"--setting {pair} has no value.", fix="Write it as name=value.")
        settings[name] = value
    return settings


setting_option = click.option(
    "--setting", "settings", multiple=True, metavar="NAME=VALUE", callback=_setting,
    help="A setting of the shop's connection (docs/reference/shops.md lists them); may be repeated.",
)  # fmt: skip


def _shop_order(platform: str, path: str, settings: dict[str, str], *, connection: str) -> Order:
    """The canonical order of a shop's payload: the order itself or the webhook around it."""
    raw = read_json(path, parse_float=Decimal)
    if not isinstance(raw, dict):
        raise BadInput(f"{path} is not an order: it is no JSON object.", fix="Give one order, not a list of them.")
    shop = Connection(connection, taxpayer_id="", unit_id="", platform=platform, settings=settings)
    return STORES[platform].map(shop, raw).order


@click.command("map", short_help="A shop's payload as an order, and whether it closes.")
@click.argument("platform", type=platform_choice)
@click.argument("file", metavar="FILE")
@setting_option
def map_command(platform: str, file: str, settings: dict[str, str]) -> None:
    """A shop's payload as a canonical order (JSON), and whether its sums close and its document keeps the rules.

    Exit 0: it would be issued; 1: it would wait in the quarantine, for the reason given.
    """
    try:
        order = _shop_order(platform, file, settings, connection=platform)
        print_json(order.model_dump(mode="json", exclude_defaults=True))
        report = _previewed(order, _example_unit()).report
        if report.findings:
            raise not_compliant(report.findings)
    except (DoesNotClose, UnusableOrder, NotCompliant) as error:
        click.echo(f"Would be quarantined: {reason_of(error).en}", err=True)
        raise SystemExit(1) from None
    click.echo("Closes.", err=True)


class _Previewed(NamedTuple):
    """What would be issued for an order, and what the rule book says of it."""

    invoice: Invoice
    xml: bytes
    report: Report


def _previewed(order: Order, unit: Unit) -> _Previewed:
    invoice = invoice_of(order, unit.seller)
    number = order.invoice_number or f"{unit.number_prefix}000001"
    xml, report = preview(invoice, number=number, uuid=_NO_UUID, link=first_link(), now=datetime.now(UTC))
    return _Previewed(invoice, xml, report)


def _example_unit() -> Unit:
    return read_unit((files("gateway.demo") / "unit.json").read_bytes(), Environment.SANDBOX)


@click.command("preview", short_help="The XML that would be issued; consumes nothing.")
@click.argument("file", metavar="FILE")
@click.option("--platform", type=platform_choice, help="FILE is this shop's payload instead of a canonical order.")
@click.option(
    "--unit", "unit_file", metavar="UNIT.json", help="The unit that would issue it; an example unit if left out."
)
@click.option("--json", "as_json", is_flag=True, help="Totals, findings and XML as one JSON object.")
@setting_option
def preview_command(
    file: str, platform: str | None, unit_file: str | None, as_json: bool, settings: dict[str, str]
) -> None:
    """The XML that would be issued for an order (unsigned, first link of a fresh chain), its findings and totals.

    Consumes nothing. Exit 0: clean; 1: findings, or sums that do not close.
    """
    unit = read_unit(read_input(unit_file), Environment.SANDBOX) if unit_file else _example_unit()
    order = _shop_order(platform, file, settings, connection=platform) if platform else read_order(read_input(file))
    try:
        invoice, xml, report = _previewed(order, unit)
    except DoesNotClose as error:
        click.echo(f"Does not close: {error}", err=True)
        raise SystemExit(1) from None
    if as_json:
        print_json({"totals": _totals(invoice), "xml": xml.decode(), **report.as_json(file)})
    else:
        _print_preview(xml, invoice, report)
    raise SystemExit(0 if not (report.xsd or report.findings) else 1)


def _totals(invoice: Invoice) -> dict[str, str]:
    return {
        "without_vat": f"{invoice.without_vat:.2f}",
        "vat": f"{invoice.vat:.2f}",
        "with_vat": f"{invoice.with_vat:.2f}",
        "rounding": f"{invoice.rounding:.2f}",
        "payable": f"{invoice.payable:.2f}",
        "currency": invoice.currency,
    }


def _print_preview(xml: bytes, invoice: Invoice, report: Report) -> None:
    click.echo(xml.decode())
    for name, value in _totals(invoice).items():
        click.echo(f"{name:<12} {value}", err=True)
    for finding in (*report.xsd, *report.findings):
        click.echo(f"{finding.where}: {finding.message.en} {finding.fix.en} ({finding.rule})", err=True)


@click.command("issue", short_help="Issue the document of an order.")
@click.argument("file", metavar="ORDER.json")
@click.option("--taxpayer", metavar="VAT", help="Whose order it is, if there are several taxpayers.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Submit it now and wait for the verdict.")
@click.option("--json", "as_json", is_flag=True, help="The answer as the API gives it.")
def issue_command(file: str, taxpayer: str | None, wait: bool, as_json: bool) -> None:
    """Issue the document of a canonical order, as POST /v1/orders does. The same order again gives the same document.

    Exit 0: issued (and accepted, where it waited); 1: rejected; 2: the order cannot be used.
    """
    order = read_order(read_input(file))
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        appended = issue_order(gateway, Request(owner, "command line", order))
        if wait:
            asyncio.run(_submit_due(gateway))
        issued = gateway.ledger.invoice(owner, appended.issued.uuid)
        _show([issued], gateway, as_json=as_json)
    raise SystemExit(0 if not wait or issued.status.is_accepted or not issued.status.is_final else 1)


async def _submit_due(gateway: Gateway) -> None:
    async with online(gateway) as lines:
        await Worker(gateway, lines, name=f"command line {os.getpid()}").drain()


@click.command("status", short_help="What became of a document or an order.")
@click.argument("what", metavar="[NUMBER|UUID|CONNECTION/ORDER]", required=False)
@click.option("--taxpayer", metavar="VAT", help="Whose documents, if there are several taxpayers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a document, one a line.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many of the newest.")
def status_command(what: str | None, taxpayer: str | None, as_json: bool, limit: int) -> None:
    """What became of a document or an order; without an argument, the newest documents."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        _show(_find(gateway, owner, what, limit), gateway, as_json=as_json)


def _find(gateway: Gateway, owner: str, what: str | None, limit: int) -> list[Issued]:
    ledger = gateway.ledger
    if what is None:
        return list(ledger.invoices(owner, Filter(), limit=limit).items)
    by_number = ledger.invoices(owner, Filter(number=what), limit=limit).items
    if by_number:
        return list(by_number)
    connection, sign, order_id = what.partition("/")
    by_order = ledger.order_documents(owner, connection, order_id) if sign else ()
    if by_order:
        return list(by_order)
    waiting = [
        each for each in ledger.quarantine(owner) if (each.connection_id, each.order_id) == (connection, order_id)
    ]
    if waiting:
        raise Unknown(
            f"Order {what} has no document. It is in quarantine ({waiting[0].id}): {waiting[0].reason.get('en', '')}",
            fix=f"Mend it in the shop, then `gateway retry {waiting[0].id}`.",
            ar=waiting[0].reason.get("ar", ""),
        )
    try:
        return [ledger.invoice(owner, what)]
    except Unknown:
        raise Unknown(
            f"There is no document {what}.",
            fix="Give its invoice number, its UUID, or CONNECTION/ORDER; `gateway status` lists the newest.",
        ) from None


def _show(documents: list[Issued], gateway: Gateway, *, as_json: bool) -> None:
    if as_json:
        for issued in documents:
            print_json(answer(issued, base_url=gateway.settings.public_url))
        return
    columns = ("Number", "ICV", "Kind", "Issued", "Total", "VAT", "Status", "Order")
    table("Documents", columns, [_row(issued) for issued in documents], right=("ICV", "Total", "VAT"))
    for issued in documents:
        for finding in issued.allowed:
            shown = f"{issued.number}: allowed: {finding.where}: {finding.message.en} ({finding.rule})"
            out.print(shown, markup=False, soft_wrap=True)
        for finding in issued.findings:
            out.print(f"{issued.number}: {finding.rule}: {finding.message.en}", markup=False, soft_wrap=True)


def _row(issued: Issued) -> tuple[Any, ...]:
    return (
        issued.number,
        issued.icv,
        f"{issued.profile.word} {issued.kind.word.replace('_', ' ')}",
        issued.issued_at.astimezone(RIYADH).strftime("%Y-%m-%d %H:%M"),
        f"{issued.total:.2f} {issued.currency}",
        f"{issued.vat:.2f}",
        issued.status.value,
        f"{issued.connection}/{issued.order_id}",
    )


@click.command("quarantine", short_help="Orders that wait for a person, and why.")
@click.option("--taxpayer", metavar="VAT", help="Whose orders, if there are several taxpayers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an order, one a line.")
def quarantine_command(taxpayer: str | None, as_json: bool) -> None:
    """Orders of shops that could not be issued, each with the reason. Mend it in the shop, then `gateway retry ID`."""
    with installation() as gateway:
        waiting = gateway.ledger.quarantine(choose_taxpayer(gateway, taxpayer))
    if as_json:
        for each in waiting:
            print_json(_waiting(each))
    elif not waiting:
        click.echo("No order waits for a person.")
    else:
        rows = [(*list(_waiting(each).values())[:4], each.reason.get("en", "")) for each in waiting]
        table("Orders that wait for a person", ("ID", "Order", "Since", "State", "Why"), rows, right=("ID",))


def _waiting(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "order": f"{notice.connection_id}/{notice.order_id}",
        "received_at": notice.received_at.astimezone(RIYADH).strftime("%Y-%m-%d %H:%M"),
        "state": notice.state.value,
        "reason": dict(notice.reason),
    }


@click.command("retry", short_help="Take orders of the quarantine up again.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@click.option("--taxpayer", metavar="VAT", help="Whose orders, if there are several taxpayers.")
def retry_command(ids: tuple[int, ...], taxpayer: str | None) -> None:
    """Fetch orders of the quarantine again and issue them if they can be; `gateway quarantine` shows the IDs."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        for number in ids:
            gateway.ledger.retry_notice(owner, number, actor=ACTOR, now=gateway.now())
    click.echo("Taken up again by the running gateway, or by `gateway work --once`.")
