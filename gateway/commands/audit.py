"""The command that shows the audit log."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import click

from gateway.commands.console import table
from gateway.commands.moment import in_riyadh, moment
from gateway.commands.streams import print_json
from gateway.commands.units import choose_taxpayer, installation, taxpayer_option
from gateway.commands.verdicts import printable
from gateway.invoice.facts import RIYADH
from gateway.ledger import AuditEntry, AuditFilter, Ledger
from gateway.pipeline.audit_json import entry_json

_PAGE: Final = 200


@click.command("audit", short_help="Who did what, and who looked at what.")
@click.option("--actor", default="", help="Who: key:ID, 'command line', gateway.")
@click.option("--action", default="", help="What: document.issued, look, key.added, ...")
@click.option("--object", "target", default="", help="To what: a document's UUID, a key's id, a path.")
@click.option("--from", "since", type=moment, metavar="TIME", help="From this moment on (Riyadh).")
@click.option("--to", "until", type=moment, metavar="TIME", help="Before this moment (Riyadh).")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="So many, the newest.")
@taxpayer_option("Whose log")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an entry, one a line.")
def audit_command(
    actor: str,
    action: str,
    target: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    taxpayer: str | None,
    as_json: bool,
) -> None:
    """The audit log, newest first: what was done, by whom, and every look of an auditor (--action look).

    An entry gets its number when it is sealed, a moment later. `gateway doctor` proves that nothing was changed.
    """
    bounds = (in_riyadh(each) if each else None for each in (since, until))
    wanted = AuditFilter(actor, action, target, *bounds)
    with installation() as gateway:
        found = list(_entries(gateway.ledger, choose_taxpayer(gateway, taxpayer), wanted, limit))
    if as_json:
        for each in found:
            print_json(entry_json(each))
        return
    if not found:
        click.echo("The audit log has no such entry.")
        return
    rows = [
        (
            "" if each.seq is None else each.seq,
            f"{each.at.astimezone(RIYADH):%Y-%m-%d %H:%M:%S}",
            printable(each.actor),
            each.action,
            printable(each.object),
            printable(json.dumps(each.detail, ensure_ascii=False)),  # with spaces, where it may wrap,
        )
        for each in found
    ]
    table("Audit log", ("No.", "When (Riyadh)", "Who", "What", "To what", "Detail"), rows, right=("No.",))


def _entries(ledger: Ledger, owner: str, wanted: AuditFilter, limit: int) -> Iterator[AuditEntry]:
    before = None
    while limit > 0:
        page = ledger.audit_page(owner, wanted, before=before, limit=min(limit, _PAGE))
        yield from page.items
        if page.next is None:
            return
        before, limit = page.next, limit - len(page.items)
