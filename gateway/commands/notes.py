"""Commands that correct documents: a credit note, a debit note, another document in the place of a rejected one."""

from collections.abc import Callable
from functools import partial

import click

from gateway.commands.orders import follow, one_document
from gateway.commands.streams import read_input
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.ledger import Appended
from gateway.order import read_addition, read_order, read_refund
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import Request, correct
from gateway.pipeline.notes import NoteRequest, correct_note, credit, debit

_DOCUMENT = click.argument("document", metavar="NUMBER|UUID")
_OWNER = taxpayer_option("Whose document")
_WAIT = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Submit it now and wait for the verdict."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as the API gives it.")


@click.command("credit", short_help="Give back of a document: issue a credit note.")
@_DOCUMENT
@click.argument("file", metavar="REFUND.json")
@_OWNER
@_WAIT
@_JSON
def credit_command(document: str, file: str, taxpayer: str | None, wait: bool, as_json: bool) -> None:
    """Issue the credit note for a refund of a document (docs/reference/notes.md). The same refund again gives the same
    note; more than is left is refused.

    \b
    {"id": "R-1", "everything": true}                                  all of it
    {"id": "R-2", "lines": [{"line": "1", "quantity": "1"}]}           one of line 1
    {"id": "R-3", "money": "10.00", "reason": {"code": "change_of_price"}}
    """
    refund = read_refund(read_input(file))
    _issue_note(partial(credit, refund=refund), document, taxpayer, wait=wait, as_json=as_json)


@click.command("debit", short_help="Charge beyond a document: issue a debit note.")
@_DOCUMENT
@click.argument("file", metavar="ADDITION.json")
@_OWNER
@_WAIT
@_JSON
def debit_command(document: str, file: str, taxpayer: str | None, wait: bool, as_json: bool) -> None:
    """Issue the debit note for lines added to a sale after its document (docs/reference/notes.md)."""
    addition = read_addition(read_input(file))
    _issue_note(partial(debit, addition=addition), document, taxpayer, wait=wait, as_json=as_json)


def _issue_note(
    make: Callable[[Gateway, NoteRequest], Appended], document: str, taxpayer: str | None, *, wait: bool, as_json: bool
) -> None:
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        wanted = NoteRequest(owner, ACTOR, one_document(gateway, owner, document).uuid)
        follow(gateway, owner, make(gateway, wanted).issued, wait=wait, as_json=as_json)


@click.command("correct", short_help="Make a rejected document anew.")
@_DOCUMENT
@click.argument("file", metavar="CORRECTED.json")
@_OWNER
@_WAIT
@_JSON
def correct_command(document: str, file: str, taxpayer: str | None, wait: bool, as_json: bool) -> None:
    """Put a corrected document in the place of one that the authority rejected: with a new UUID and a new link of the
    chain, but its date and time. CORRECTED.json is the whole order, or of a note its refund or addition."""
    content = read_input(file)
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        rejected = one_document(gateway, owner, document)
        if rejected.corrects:
            made = correct_note(gateway, owner, ACTOR, rejected.uuid, content)
        else:
            made = correct(gateway, rejected.uuid, Request(owner, ACTOR, read_order(content)))
        follow(gateway, owner, made.issued, wait=wait, as_json=as_json)
