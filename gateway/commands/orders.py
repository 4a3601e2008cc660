"""Commands over orders: what a shop's payload means, what would be issued, issue it, what became of it."""

import asyncio
import os
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import click

from gateway.answer import answer
from gateway.commands.console import out, table
from gateway.commands.moment import minute_of
from gateway.commands.streams import print_json, read_input, read_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, DoesNotClose, NotCompliant, Unknown, UnusableOrder
from gateway.invoice.facts import Kind, Profile
from gateway.invoice.halalas import explained
from gateway.invoice.policy import Decision, read_policy
from gateway.issued import Issued, Status
from gateway.ledger import Filter, Posting
from gateway.order import Order, read_order
from gateway.pipeline.gateway import Gateway, online
from gateway.pipeline.intake import reason_of
from gateway.pipeline.issue import Request
from gateway.pipeline.notes import settle
from gateway.pipeline.preview import Preview, preview, preview_json, totals
from gateway.pipeline.proof import not_compliant
from gateway.stores import STORES, not_an_order
from gateway.unit import Environment, Unit
from gateway.unit_file import read_unit
from gateway.worker import Worker

platform_choice = click.Choice(sorted(STORES))


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
        raise not_an_order(raw)
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
        report = _previewed(order, _example_unit(), settings).report
        if report.findings:
            raise not_compliant(report.findings)
    except (DoesNotClose, UnusableOrder, NotCompliant) as error:
        click.echo(f"Would be quarantined: {reason_of(error).en}", err=True)
        raise SystemExit(1) from None
    click.echo("Closes.", err=True)


def _previewed(order: Order, unit: Unit, settings: dict[str, str]) -> Preview:
    return preview(order, unit.seller, prefix=unit.number_prefix, now=datetime.now(UTC), policy=read_policy(settings))


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
        shown = _previewed(order, unit, settings)
    except DoesNotClose as error:
        click.echo(f"Does not close: {error}", err=True)
        raise SystemExit(1) from None
    if as_json:
        print_json({**shown.report.as_json(file), **preview_json(shown, order)})
    else:
        _print_preview(shown, order)
    raise SystemExit(0 if shown.is_clean else 1)


def _print_preview(shown: Preview, order: Order) -> None:
    """The document goes to the standard output, all that is said of it beside."""
    click.echo(shown.xml.decode())
    for name, value in totals(shown.invoice).items():
        click.echo(f"{name:<12} {value}", err=True)
    for decision in shown.drawn.decided.decisions:
        click.echo(f"{decision.what}: {_named(decision)}. {decision.why.en}", err=True)
    for step in explained(order, shown.drawn):
        click.echo(step.en, err=True)
    for finding in (*shown.report.xsd, *shown.report.findings):
        click.echo(f"{finding.where}: {finding.message.en} {finding.fix.en} ({finding.rule})", err=True)


def _named(decision: Decision) -> str:
    """Codes by their names."""
    return decision.value.word if isinstance(decision.value, Kind | Profile) else decision.value


@click.command("issue", short_help="Issue the document of an order.")
@click.argument("file", metavar="ORDER.json")
@taxpayer_option("Whose order it is")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Submit it now and wait for the verdict.")
@click.option("--json", "as_json", is_flag=True, help="The answer as the API gives it.")
def issue_command(file: str, taxpayer: str | None, wait: bool, as_json: bool) -> None:
    """Issue the document of a canonical order, as POST /v1/orders does. The same order again gives the same document.

    Exit 0: issued (and accepted, where it waited); 1: rejected; 2: the order cannot be used.
    """
    order = read_order(read_input(file))
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        appended = settle(gateway, Request(owner, ACTOR, order))
        follow(gateway, owner, appended.issued, wait=wait, as_json=as_json)


def follow(gateway: Gateway, owner: str, issued: Issued, *, wait: bool, as_json: bool) -> None:
    """Submit what was made, if the caller waits for that, and show it; exit 1 if it was rejected."""
    if wait:
        asyncio.run(_submit_due(gateway))
    issued = gateway.ledger.invoice(owner, issued.uuid)
    show([issued], gateway, as_json=as_json)
    raise SystemExit(0 if not wait or issued.status.is_accepted or not issued.status.is_final else 1)


async def _submit_due(gateway: Gateway) -> None:
    async with online(gateway) as lines:
        await Worker(gateway, lines, name=f"command line {os.getpid()}").drain()


@click.command("status", short_help="What became of a document or an order.")
@click.argument("what", metavar="[NUMBER|UUID|CONNECTION/ORDER]", required=False)
@taxpayer_option("Whose documents")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a document, one a line.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many of the newest.")
def status_command(what: str | None, taxpayer: str | None, as_json: bool, limit: int) -> None:
    """What became of a document or an order; without an argument, the newest documents."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        found = find(gateway, owner, what, limit)
        show(found, gateway, as_json=as_json)
        if what is not None and not as_json:
            _show_ways_back(found, gateway, owner)


def _show_ways_back(documents: list[Issued], gateway: Gateway, owner: str) -> None:
    """What of these documents stands on the shop's order, and why not."""
    numbers = {each.uuid: each.number for each in documents}
    for connection in sorted({each.connection for each in documents}):
        for link in gateway.ledger.links_of_order(owner, connection, numbers):
            at, said = minute_of(link.changed_at), link.receipt or link.error
            shown = f"{numbers[link.uuid]}: written back: {link.state.value} {at}{f', {said}' if said else ''}"
            out.print(shown, markup=False, soft_wrap=True)
    for each in documents:
        _show_postings(gateway.ledger.postings_of(owner, each.uuid))


def _show_postings(postings: tuple[Posting, ...]) -> None:
    """How a document stands in the books, a line for each ERP."""
    for each in postings:
        entry = f", {each.entry_number} {each.entry_state}" if each.entry_id else ""
        why = f", {each.reason['en']}" if each.reason.get("en") else ""
        shown = f"{each.number}: in the books of {each.connection_id}: {each.state.value}"
        out.print(f"{shown} {minute_of(each.changed_at)}{entry}{why}", markup=False, soft_wrap=True)


def find(gateway: Gateway, owner: str, what: str | None, limit: int) -> list[Issued]:
    """The documents of a number, a UUID or an order, or the newest; Unknown if there is none."""
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


def one_document(gateway: Gateway, owner: str, what: str) -> Issued:
    """The document of a number, a UUID or an order: where some were replaced, the one that stands; Conflict if there
    are several."""
    found = find(gateway, owner, what, 20)
    standing = [each for each in found if each.status is not Status.REPLACED] or found
    if len(standing) > 1:
        raise Conflict(
            f"{what} names {len(standing)} documents.",
            fix="Give the number or the UUID of one; `gateway status` lists them.",
        )
    return standing[0]


def show(documents: list[Issued], gateway: Gateway, *, as_json: bool) -> None:
    """A table, or one JSON object a line."""
    if as_json:
        for issued in documents:
            print_json(answer(issued, base_url=gateway.settings.address))
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
        minute_of(issued.issued_at),
        f"{issued.total:.2f} {issued.currency}",
        f"{issued.vat:.2f}",
        issued.status.value,
        f"{issued.connection}/{issued.order_id}",
    )
