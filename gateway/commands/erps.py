"""Commands over connected ERPs: how they stand, what of each document stands in their books, and what waits there."""

from typing import Any, Final

import click

from gateway.commands.console import table
from gateway.commands.orders import find
from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.commands.verdicts import Language, spoken
from gateway.finding import Text
from gateway.ledger import FOR_A_PERSON, Posting, PostingState
from gateway.pipeline.erps import ErpStanding, erp_json, posting_json, standing_of

_OWNER = taxpayer_option("Whose books")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object each, one a line.")

_COLUMNS: Final = (
    Text("Postings", "القيود"),
    Text("ID", "الرقم"),
    Text("Document", "المستند"),
    Text("ERP", "نظام ERP"),
    Text("Entry", "القيد"),
    Text("State", "الحالة"),
    Text("Why", "السبب"),
)
_STATES: Final = {
    PostingState.DUE: Text("due", "قيد الترحيل"),
    PostingState.DONE: Text("done", "مُرحّل"),
    PostingState.HELD: Text("held", "بانتظار قرار"),
    PostingState.FAILED: Text("failed", "تعذّر ترحيله"),
    PostingState.IGNORED: Text("ignored", "مستبعد"),
}


@click.group("erps", short_help="Connected ERPs, and what stands in their books.")
def erps_command() -> None:
    """ERPs whose books the gateway writes: how each stands, and how each document stands in it.

    \b
    Connect one:  gateway connect NAME --unit UNIT --platform odoo|erpnext --url URL --secrets FILE --settings FILE
    """


@erps_command.command("list", short_help="How each ERP stands, and what is wrong.")
@_OWNER
@_JSON
def list_command(taxpayer: str | None, as_json: bool) -> None:
    """Each ERP with its books, when it is posted to, and what is wrong. Exit 1 if something waits for a person, or a
    key is about to end."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        found = standing_of(gateway, owner)
    if as_json:
        for each in found:
            print_json(erp_json(each))
    elif not found:
        click.echo("No ERP is connected.")
    else:
        columns = ("Connection", "ERP", "Posts when", "Due", "Done", "Waiting", "Wrong")
        table("ERPs", columns, map(_row, found), right=("Due", "Done", "Waiting"))
    raise SystemExit(1 if any(each.wrong or each.waiting for each in found) else 0)


def _row(each: ErpStanding) -> tuple[Any, ...]:
    kind = f"{each.connection.platform} {each.connection.settings.get('release', '')}".strip()
    return each.connection.id, kind, each.when, each.due, each.done, each.waiting, each.wrong.en if each.wrong else ""


@erps_command.command("postings", short_help="How documents stand in the books.")
@click.argument("what", metavar="[NUMBER|UUID|CONNECTION/ORDER]", required=False)
@click.option("--failed", is_flag=True, help="Only what waits for a person: held, or given up.")
@click.option("--erp", default="", metavar="NAME", help="Of this connection only.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@click.option("--lang", type=click.Choice(["en", "ar"]), default="en", show_default=True, help="Of the table.")
@_OWNER
@_JSON
def postings_command(
    what: str | None, failed: bool, erp: str, limit: int, lang: Language, taxpayer: str | None, as_json: bool
) -> None:
    """How documents stand in the books, newest first, or those of one document or order.

    \b
    What a person can do about those that wait:
      gateway erps retry ID                  after it was mended in the ERP: post it again
      gateway erps dismiss ID --reason TEXT  decide that the gateway posts nothing for it
    """
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        if what is None:
            states = FOR_A_PERSON if failed else ()
            found = gateway.ledger.postings(owner, connection_id=erp, states=states, limit=limit)
        else:
            documents = find(gateway, owner, what, limit)
            whole = [each for one in documents for each in gateway.ledger.postings_of(owner, one.uuid)]
            found = tuple(each for each in whole if _wanted(each, erp, failed=failed))
    if as_json:
        for each in found:
            print_json(posting_json(each))
    elif not found:
        click.echo("Nothing waits." if failed else "Nothing was to be posted.")
    else:
        title, *columns = (spoken(text, lang) for text in _COLUMNS)
        table(title, columns, [_posting_row(each, lang) for each in found], right=columns[:1])


def _wanted(posting: Posting, erp: str, *, failed: bool) -> bool:
    return (not erp or posting.connection_id == erp) and (not failed or posting.state in FOR_A_PERSON)


def _posting_row(each: Posting, lang: Language) -> tuple[Any, ...]:
    why = each.reason.get(lang) or each.reason.get("en", "")
    entry = f"{each.entry_number} {each.entry_state}".strip()
    return each.id, each.number, each.connection_id, entry, spoken(_STATES[each.state], lang), why


@erps_command.command("retry", short_help="Have postings that wait tried again.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@_OWNER
def retry_command(ids: tuple[int, ...], taxpayer: str | None) -> None:
    """Have postings that wait for a person worked on again; `gateway erps postings --failed` shows the IDs."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        for number in ids:
            gateway.ledger.retry_posting(owner, number, actor=ACTOR, now=gateway.now())
    click.echo("Taken up again by the running gateway, or by `gateway work --once`.")


@erps_command.command("dismiss", short_help="Decide that nothing is posted for a document.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=int)
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
@_OWNER
def dismiss_command(ids: tuple[int, ...], reason: str, taxpayer: str | None) -> None:
    """Decide that the gateway posts nothing for documents, such as of a sale that was entered by hand."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        for number in ids:
            gateway.ledger.dismiss_posting(owner, number, reason=reason, actor=ACTOR, now=gateway.now())
    click.echo(f"Set aside: {', '.join(map(str, ids))}.")
