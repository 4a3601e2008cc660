"""Commands about the archive: how it stands, what it keeps longer, and what two people delete."""

from datetime import datetime
from typing import Any

import click

from gateway.commands.console import records, table
from gateway.commands.moment import day_of, iso_of
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json, read_input
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.errors import Conflict, Forbidden
from gateway.invoice.facts import RIYADH
from gateway.ledger import ArchivedFile, Hold, Plan
from gateway.pipeline.api_keys import Role, authenticate
from gateway.pipeline.archive import (
    archive_again,
    confirm_disposal,
    delete_disposed,
    hold,
    keep_longer,
    propose_disposal,
    read_archived,
    withdraw_disposal,
)
from gateway.pipeline.gateway import Gateway

_OWNER = taxpayer_option("Whose archive")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
_AS = click.option(
    "--as", "key_file", required=True, metavar="FILE|-", help="A file with your own API key; who you are comes from it."
)
_MAY_DELETE = (Role.ADMIN, Role.ACCOUNTANT)


@click.group("archive", short_help="The archive: how it stands, holds, deletion after the lawful time.")
def archive_command() -> None:
    """The archive of final documents, kept for the years the law wants.

    Every document is archived by itself once the authority has answered: its final XML (the cleared one, where it was
    cleared) and every answer, under the authority's file name with UUID and SHA-256. `gateway doctor` compares it with
    the books. GATEWAY_ARCHIVE says where it is, GATEWAY_RETENTION_YEARS how long files are kept.
    """


@archive_command.command("status", short_help="How many files there are, what waits, which holds stand.")
@_JSON
@_OWNER
def status_command(as_json: bool, taxpayer: str | None) -> None:
    """How many files there are, what waits to be archived and why, which holds stand."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        counts = gateway.ledger.archive_counts(owner)
        standing = sum(each.lifted_at is None for each in gateway.ledger.holds(owner))
        proposed = sum(each.is_open for each in gateway.ledger.plans(owner))
        place, years = gateway.archive.name, gateway.settings.retention_years
    if as_json:
        facts = {"place": place, "retention_years": years, "holds": standing, "proposed": proposed}
        print_json({**facts, **counts._asdict(), "first_end": iso_of(counts.first_end)})
        return
    rows = (
        ("place", place),
        ("files", f"{counts.files:,} ({counts.size:,} bytes)"),
        ("waiting to be archived", f"{counts.waiting:,}" + (f", failing: {counts.error}" if counts.failing else "")),
        ("deleted after their time", f"{counts.disposed:,}"),
        ("kept after the tax period", f"{years} years"),
        ("the first file's time ends", day_of(counts.first_end)),
        ("holds that stand", standing),
        ("proposals to delete", proposed),
    )
    records("Archive", [rows])


@archive_command.command("files", short_help="The archived files of one document, each read.")
@click.argument("uuid")
@_JSON
@_OWNER
def files_command(uuid: str, as_json: bool, taxpayer: str | None) -> None:
    """The archived files of one document, each read and compared with its digest. Exit 1 if one is not as it was."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        gateway.ledger.invoice(owner, uuid)
        files = gateway.ledger.archived(owner, [uuid]).get(uuid, ())
        states = [_state(gateway, each) for each in files]
    if as_json:
        for each, state in zip(files, states, strict=True):
            print_json({"name": each.name, "key": each.key, "sha256": each.sha256, "size": each.size,
                        "keep_until": iso_of(each.keep_until), "state": state})  # fmt: skip
    else:
        rows = [
            (each.name, state, each.size, day_of(each.keep_until), each.key)
            for each, state in zip(files, states, strict=True)
        ]
        table(f"Files of {uuid}", ("What", "State", "Bytes", "Kept until", "Key"), rows, right=["Bytes"])
    raise SystemExit(1 if any(state not in ("whole", "deleted") for state in states) else 0)


def _state(gateway: Gateway, file: ArchivedFile) -> str:
    if file.disposed_at:
        return "deleted"
    try:
        read_archived(gateway, file)
    except Conflict as error:
        return error.what
    return "whole"


@archive_command.command("again", short_help="Write files of a document anew that were lost.")
@click.argument("uuid")
@_OWNER
def again_command(uuid: str, taxpayer: str | None) -> None:
    """Write the files of document UUID anew that are on record and not in the archive. The ledger has their bytes."""
    with installation() as gateway:
        written = archive_again(gateway, choose_taxpayer(gateway, taxpayer), uuid)
    click.echo(f"Files written anew: {len(written)}.")


@archive_command.command("hold", short_help="Keep files until the hold is lifted.")
@click.argument("uuid", required=False)
@click.option("--reason", required=True, help="Why; it stands in the audit log.")
@_OWNER
def hold_command(uuid: str | None, reason: str, taxpayer: str | None) -> None:
    """Keep the files of document UUID, or without one all of the taxpayer's, until the hold is lifted."""
    with installation() as gateway:
        placed = hold(gateway, choose_taxpayer(gateway, taxpayer), uuid=uuid, reason=reason, actor=ACTOR)
    click.echo(f"Hold {placed.id} stands: {'all files' if uuid is None else uuid} of the archive.")


@archive_command.command("keep")
@click.argument("uuid")
@click.option("--years", type=click.IntRange(7, 100), required=True, help="11: capital assets; 15: real estate.")
@click.option("--reason", default="longer retention by law", show_default=True, help="Why.")
@_OWNER
def keep_command(uuid: str, years: int, reason: str, taxpayer: str | None) -> None:
    """Keep the files of document UUID for more years than the rest. It cannot be undone and ends by itself."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        placed = keep_longer(gateway, owner, uuid, years=years, reason=reason, actor=ACTOR)
    assert placed.until is not None, "a longer retention has an end"
    click.echo(f"{uuid} is kept until {day_of(placed.until)}.")


@archive_command.command("holds")
@_JSON
@_OWNER
def holds_command(as_json: bool, taxpayer: str | None) -> None:
    """All holds and longer retentions there ever were."""
    with installation() as gateway:
        found = gateway.ledger.holds(choose_taxpayer(gateway, taxpayer))
    if as_json:
        for each in found:
            print_json(_facts(each))
        return
    rows = [
        (
            each.id,
            each.uuid or "everything",
            each.reason,
            day_of(each.at),
            day_of(each.until) if each.until else "lifted" if each.lifted_at else "stands",
        )
        for each in found
    ]
    if not rows:
        click.echo("No file is held or kept longer than the rest.")
        return
    table("Holds", ("Id", "Document", "Why", "Since", "Until"), rows)


@archive_command.command("lift")
@click.argument("hold_id")
@_OWNER
def lift_command(hold_id: str, taxpayer: str | None) -> None:
    """End a hold. The files are deleted by nobody yet: see `gateway archive purge`."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        gateway.ledger.lift_hold(owner, hold_id, actor=ACTOR, now=gateway.now())
    click.echo(f"Hold {hold_id} is lifted.")


@archive_command.group("purge", short_help="Delete files whose lawful time is over, two people together.")
def purge_command() -> None:
    """Delete files whose lawful time is over: one person proposes, another confirms a day later or after that.

    Who you are comes from your own API key (--as), of role accountant or admin. The digests and the chain stay for
    ever, and the audit log keeps who deleted what and when. Until it is confirmed anybody with such a key can withdraw
    a proposal. While the clock is wrong, or seems to be, nothing can be proposed or confirmed. A file that is under
    hold, or whose time is not over, cannot be deleted by any command; the database refuses it too.
    """


@purge_command.command("propose", short_help="Propose to delete every file whose time is over.")
@_AS
@click.option("--reason", required=True, help="Why; it stands in the audit log.")
def propose_command(key_file: str, reason: str) -> None:
    """Propose to delete every file whose time is over and that no hold keeps."""
    with installation() as gateway:
        owner, actor = _person(gateway, key_file)
        plan, count = propose_disposal(gateway, owner, reason=reason, actor=actor)
    since = f"{plan.confirmed_from.astimezone(RIYADH):%Y-%m-%d %H:%M}"
    click.echo(f"Disposal {plan.id}: files to delete: {count}. From {since} (Riyadh) on another person confirms it:")
    click.echo(f"  gateway archive purge confirm {plan.id} --as FILE")


@purge_command.command("confirm", short_help="Delete what another person proposed, a day later.")
@click.argument("disposal")
@_AS
def confirm_command(disposal: str, key_file: str) -> None:
    """Delete what was proposed, as another person than proposed it. Interrupted, it is finished by `purge resume`."""
    with installation() as gateway:
        owner, actor = _person(gateway, key_file)
        count = confirm_disposal(gateway, owner, disposal, actor=actor)
    click.echo(f"Files deleted: {count}. Their digests stay.")


@purge_command.command("withdraw", short_help="Take a proposal back, or stop another person's.")
@click.argument("disposal")
@_AS
def withdraw_command(disposal: str, key_file: str) -> None:
    """Withdraw a proposal, your own or another person's, while nobody has confirmed it: nothing is deleted by it."""
    with installation() as gateway:
        owner, actor = _person(gateway, key_file)
        withdraw_disposal(gateway, owner, disposal, actor=actor)
    click.echo(f"Disposal {disposal} is withdrawn.")


@purge_command.command("resume")
@_OWNER
def resume_command(taxpayer: str | None) -> None:
    """Delete the bytes that an interrupted deletion left."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        with Progress(lambda: gateway.ledger.archive_counts(owner).disposed, is_silent=True) as progress:
            delete_disposed(gateway, owner, tell=progress.jump)
    click.echo("What was deleted is gone.")


@purge_command.command("list")
@_JSON
@_OWNER
def list_command(as_json: bool, taxpayer: str | None) -> None:
    """The disposals: who proposed and who confirmed or withdrew them."""
    with installation() as gateway:
        plans = gateway.ledger.plans(choose_taxpayer(gateway, taxpayer))
    if as_json:
        for each in plans:
            print_json(_facts(each))
        return
    rows = [(each.id, each.reason, each.proposed_by, day_of(each.proposed_at), _fate(each)) for each in plans]
    if not rows:
        click.echo("Nothing was ever proposed for deletion.")
        return
    table("Disposals", ("Id", "Why", "Proposed by", "On", "Confirmed by"), rows)


def _fate(plan: Plan) -> str:
    return plan.confirmed_by or (f"withdrawn by {plan.withdrawn_by}" if plan.withdrawn_by else "nobody yet")


def _facts(found: Hold | Plan) -> dict[str, Any]:
    values = found._asdict().items()
    return {name: iso_of(value) if isinstance(value, datetime) else value for name, value in values}


def _person(gateway: Gateway, key_file: str) -> tuple[str, str]:
    """Taxpayer and name of whoever has this key; Forbidden if its role may not delete."""
    text = read_input(key_file, limit=1000)
    known = authenticate(gateway, text.decode(errors="replace").strip())
    if known.role not in _MAY_DELETE:
        raise Forbidden(
            f"A key of role {known.role.value} may not delete files.", fix="Use a key of role accountant or admin."
        )
    return known.taxpayer_id, f"key:{known.id}"
