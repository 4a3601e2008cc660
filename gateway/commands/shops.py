"""Commands over connected shops: how they stand, what they sold before, and what waits for a person."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import click

from gateway.commands.console import out, table
from gateway.commands.moment import iso_of, minute_of
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.commands.verdicts import Language, spoken
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.period import day_begins, day_ends
from gateway.ledger import DuePoll, Notice, NoticeState
from gateway.pipeline.backfill import Fate, Foreseen, foresee, have_issued
from gateway.pipeline.gateway import Gateway, online

_OWNER = taxpayer_option("Whose shops")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object each, one a line.")


# -- how they stand -------------------------------------------------------------------------------------------


@click.command("shops", short_help="Connected shops: how far each was asked, and what is wrong.")
@_OWNER
@_JSON
def shops_command(taxpayer: str | None, as_json: bool) -> None:
    """How far each connected shop was asked what changed, when it is asked next, and what is wrong with it or its
    webhooks. Exit 1 if one cannot be asked."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        lost = gateway.ledger.lost_turns(owner, now=gateway.now())
        shops = [(each, _wrong(each, lost.get(each.connection_id))) for each in gateway.ledger.polls(owner)]
    if as_json:
        for each, wrong in shops:
            print_json({"connection": each.connection_id, "seen_until": iso_of(each.since),
                        "asked_again": iso_of(each.next_at), "webhooks": each.told, "error": wrong})  # fmt: skip
    elif not shops:
        click.echo("No shop is connected.")
    else:
        columns = ("Connection", "Seen until", "Asked again", "Webhooks", "Wrong")
        rows = [
            (each.connection_id, minute_of(each.since), minute_of(each.next_at), each.told, wrong)
            for each, wrong in shops
        ]
        table("Shops", columns, rows)
    raise SystemExit(1 if any(wrong for _, wrong in shops) else 0)


def _wrong(poll: DuePoll, lost: datetime | None) -> str:
    """What keeps a shop from being asked, empty if nothing does."""
    renewal = f"Its credentials were not renewed on {minute_of(lost)}: install the app in the shop again."
    return " ".join(each for each in (poll.error, renewal if lost else "") if each)


# -- what they sold before ------------------------------------------------------------------------------------


@click.command("backfill", short_help="Issue what a shop sold before it was connected.")
@click.argument("connection")
@click.option(
    "--from", "since", type=click.DateTime(["%Y-%m-%d"]), required=True, metavar="DAY",
    help="First day of the orders (Riyadh).",
)  # fmt: skip
@click.option(
    "--to", "until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Last day (Riyadh); today if left out."
)
@click.option("--dry-run", is_flag=True, help="Show what would be issued; nothing is.")
@_JSON
@_OWNER
def backfill_command(
    connection: str, since: datetime, until: datetime | None, dry_run: bool, as_json: bool, taxpayer: str | None
) -> None:
    """Open every order that a shop placed since a day, and have those issued that are due and have no document.

    Orders from before the connection's cut-over stay as they are; move it first, with `gateway connect --change
    --cutover`, if they are really to be issued here. Exit 1 if an order would wait for a person.
    """
    begin = day_begins(since.date())
    end = day_ends(until.date()) if until else datetime.now(UTC)
    if end <= begin:
        raise BadInput("The last day is before the first.", fix="Give --from and --to in this order.")
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        gateway.ledger.connection(owner, connection)
        found = asyncio.run(_foreseen(gateway, owner, connection, begin, end, as_json=as_json))
        due = [each.order_id for each in found if each.fate is Fate.ISSUE]
        issued = 0 if dry_run else have_issued(gateway, owner, connection, due)
    if not as_json:
        _print_fates(found, issued, dry_run=dry_run)
    raise SystemExit(1 if any(each.fate is Fate.QUARANTINE for each in found) else 0)


async def _foreseen(
    gateway: Gateway, owner: str, connection: str, begin: datetime, end: datetime, *, as_json: bool
) -> list[Foreseen]:
    found: list[Foreseen] = []
    with Progress(lambda: len(found) + 100, is_silent=False) as progress:
        async with online(gateway) as lines:
            async for each in foresee(gateway, lines, owner, connection, since=begin, until=end):
                found.append(each)
                progress.advance(json.dumps(each.as_json(), ensure_ascii=False) if as_json else _line(each))
    return found


def _line(each: Foreseen) -> str:
    sums = f" {each.total:.2f} SAR (VAT {each.vat:.2f}), {each.profile}" if each.total is not None else ""
    number = f" ({each.number})" if each.number and each.number != each.order_id else ""
    return f"{each.order_id}{number}: {each.fate.value}{sums}. {each.why.en}"


def _print_fates(found: list[Foreseen], issued: int, *, dry_run: bool) -> None:
    counts = Counter(each.fate for each in found)
    said = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate]) or "none"
    click.echo(f"{len(found)} order{'' if len(found) == 1 else 's'}: {said}.")
    if dry_run:
        click.echo("Nothing was issued.")
    elif issued:
        click.echo(f"{issued} taken up by the running gateway, or by `gateway work --once`.")


# -- what waits for a person ----------------------------------------------------------------------------------

_NONE_WAITS: Final = Text("No order waits for a person.", "لا يوجد طلب بانتظار قرار.")
_WAITING: Final = (
    Text("Orders that wait for a person", "طلبات بانتظار قرار"),
    Text("ID", "الرقم"),
    Text("Order", "الطلب"),
    Text("Since", "منذ"),
    Text("State", "الحالة"),
    Text("Why", "السبب"),
)
_STATES: Final = {
    NoticeState.QUARANTINED: Text("quarantined", "محجوز للمراجعة"),
    NoticeState.FAILED: Text("failed", "تعذّرت معالجته"),
}


@click.command("quarantine", short_help="Orders that wait for a person, and why.")
@click.argument("number", metavar="[ID]", required=False, type=int)
@_OWNER
@click.option("--lang", type=click.Choice(["en", "ar"]), default="en", show_default=True, help="Of the table.")
@_JSON
def quarantine_command(number: int | None, taxpayer: str | None, lang: Language, as_json: bool) -> None:
    """Orders of shops that could not be issued, each with the reason; with an ID, one of them as the shop gave it.

    \b
    What a person can do:
      gateway retry ID                  after it was mended in the shop: fetch it again
      gateway issue ORDER.json          issue a corrected order under the same connection and id
      gateway dismiss ID --reason TEXT  decide that nothing is to be issued for it
    """
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        if number is not None:
            _print_one(gateway.ledger.waiting_notice(owner, number), as_json=as_json)
            return
        waiting = gateway.ledger.quarantine(owner)
    if as_json:
        for each in waiting:
            print_json(_waiting(each))
    elif not waiting:
        click.echo(spoken(_NONE_WAITS, lang))
    else:
        title, *columns = (spoken(text, lang) for text in _WAITING)
        rows = [
            (each.id, _order(each), minute_of(each.received_at), spoken(_STATES[each.state], lang),
             each.reason.get(lang) or each.reason.get("en", ""))
            for each in waiting
        ]  # fmt: skip
        table(title, columns, rows, right=columns[:1])


def _order(notice: Notice) -> str:
    return f"{notice.connection_id}/{notice.order_id}"


def _waiting(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "order": _order(notice),
        "received_at": iso_of(notice.received_at),
        "state": notice.state.value,
        "reason": dict(notice.reason),
    }


def _print_one(notice: Notice, *, as_json: bool) -> None:
    payload = json.loads(notice.payload) if notice.payload else None
    if as_json:
        print_json({**_waiting(notice), "payload": payload})
        return
    out.print(f"{_order(notice)}, {notice.state.value} since {minute_of(notice.received_at)}", markup=False)
    for language in ("en", "ar"):
        out.print(notice.reason.get(language, ""), markup=False, soft_wrap=True)
    if "declared" in notice.reason:
        click.echo(f"The shop says {notice.reason['declared']}, its parts come to {notice.reason['computed']}.")
    if payload is not None:
        click.echo(json.dumps(payload, ensure_ascii=False, indent=2))


@click.command("retry", short_help="Take orders of the quarantine up again.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@_OWNER
def retry_command(ids: tuple[int, ...], taxpayer: str | None) -> None:
    """Fetch orders of the quarantine again and issue them if they can be; `gateway quarantine` shows the IDs."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        for number in ids:
            gateway.ledger.retry_notice(owner, number, actor=ACTOR, now=gateway.now())
    click.echo("Taken up again by the running gateway, or by `gateway work --once`.")


@click.command("dismiss", short_help="Decide that nothing is to be issued for an order.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
@_OWNER
def dismiss_command(ids: tuple[int, ...], reason: str, taxpayer: str | None) -> None:
    """Take orders out of the quarantine without issuing them. One that the shop changes later is looked at anew."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        for number in ids:
            gateway.ledger.dismiss_notice(owner, number, reason=reason, actor=ACTOR, now=gateway.now())
    click.echo(f"Set aside: {', '.join(map(str, ids))}.")
