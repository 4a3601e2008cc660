"""Commands that copy the books while they are in use, and put a copy back."""

import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import make_url

from gateway.commands.units import ACTOR, read_settings
from gateway.errors import BadInput, Misconfigured, Unavailable
from gateway.ledger import Fenced, Ledger, back_up, put_back
from gateway.settings import Settings


@click.command("backup", short_help="Copy the ledger while it is in use.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup_command(file: Path) -> None:
    """Copy the ledger to a new FILE, while the gateway runs.

    Keys and secrets are in it as sealed envelopes. The master key is not: keep it elsewhere, for without it they do not
    open. Nor is the archive (GATEWAY_ARCHIVE): copy it too. Of PostgreSQL the copy is made by pg_dump, in its custom
    format.
    """
    settings = read_settings()
    url = make_url(settings.ledger_url)
    if url.get_backend_name() != "sqlite":
        _dump(settings, file)
        click.echo(f"The database was dumped to {file}.")
        return
    copied = back_up(_existing(Path(str(url.database))), file)
    click.echo(f"Documents copied to {file}: {copied.documents}.")
    if copied.key_check:
        click.echo(f"It opens with the master key whose check value is {copied.key_check}.")


def _existing(ledger: Path) -> Path:
    if not ledger.exists():
        raise Misconfigured(f"There is no ledger {ledger}.", fix="Set GATEWAY_HOME or GATEWAY_DATABASE_URL.")
    return ledger


def _dump(settings: Settings, file: Path) -> None:
    """By the tool that belongs to the server; the password goes by its environment, never by the command line."""
    tool = shutil.which("pg_dump")
    if tool is None:
        raise Misconfigured("There is no pg_dump here.", fix="Install PostgreSQL's client programs.")
    if file.exists():
        raise BadInput(f"{file} exists already.", fix="Give a backup a name of its own, such as one with the date.")
    url = make_url(settings.database_url)
    where = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "PGPASSWORD": url.password or ""}
    file.touch(mode=0o600)
    ended = subprocess.run(
        [tool, "--format=custom", f"--file={file}", where], env=environment, capture_output=True, check=False
    )
    if ended.returncode:
        file.unlink(missing_ok=True)
        raise Unavailable(f"pg_dump failed: {ended.stderr.decode(errors='replace').strip()[:300]}")


@click.command("restore", short_help="Put a backup back; it issues nothing until it is reconciled.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--reconcile", is_flag=True, help="Compare the ledger that is there with the head journal once more.")
def restore_command(file: Path | None, reconcile: bool) -> None:
    """Make the backup FILE the ledger of this installation, which has none, and compare it with the head journal.

    It issues nothing until its chains end where the journal (GATEWAY_JOURNAL) says. Chains that went further are lost
    for it: onboard their units anew, which opens other chains, so that no counter is used twice. Exit 0 if it
    issues again, 1 if not.
    """
    if reconcile == (file is not None):
        raise BadInput("Name a backup, or say --reconcile.", fix="See `gateway restore --help`.")
    settings = read_settings()
    url = make_url(settings.ledger_url)
    if url.get_backend_name() == "sqlite":
        ledger = Path(str(url.database))
        if file:
            copied = put_back(file, ledger)
            click.echo(f"Documents put back into {ledger}: {copied.documents}.")
        else:
            _existing(ledger)
    elif file:
        raise BadInput(
            "A database on a server is not restored by this command.",
            fix="Restore it by pg_restore into an empty database, then `gateway restore --reconcile`.",
        )
    raise SystemExit(1 if _reconcile(settings, file) else 0)


def _reconcile(settings: Settings, file: Path | None) -> tuple[Fenced, ...]:
    with Ledger.open(settings.ledger_url) as ledger:
        ledger.keep_journal(settings.journal_file)
        before, fenced = ledger.fenced(), ledger.reconcile()
        if file:
            for taxpayer in ledger.taxpayers():
                _note(ledger, taxpayer.id, "ledger.restored", taxpayer.id, {"file": file.name})
        for each in before:
            if each.chain not in {still.chain for still in fenced}:
                _note(ledger, each.taxpayer_id, "chain.unfenced", each.chain, {"icv": each.icv})
        is_open = {each.chain: ledger.chains(each.taxpayer_id, each.unit_id)[-1].id == each.chain for each in fenced}
    stopped = tuple(each for each in fenced if is_open[each.chain])
    for each in stopped:
        for line in _told(each, settings):
            click.echo(line)
    if not stopped:
        click.echo("The ledger agrees with the head journal: every unit may issue.")
    return stopped


def _note(ledger: Ledger, taxpayer_id: str, action: str, target: str, detail: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    ledger.audit(taxpayer_id=taxpayer_id, actor=ACTOR, action=action, target=target, detail=detail, now=now)


def _told(fenced: Fenced, settings: Settings) -> tuple[str, str, str]:
    if fenced.journal is None:
        why = f"the head journal {settings.journal_file} does not know its chain"
        ar = "ولا يوجد لسلسلتها قيد في سجل رؤوس السلاسل"
    else:
        why = f"its chain ends at {fenced.icv}, the head journal says {fenced.journal.icv}"
        ar = f"فسلسلتها هنا تنتهي عند {fenced.icv} وفي سجل رؤوس السلاسل عند {fenced.journal.icv}"
    return (
        f"Unit {fenced.unit_id} of {fenced.taxpayer_id} issues nothing: {why}.",
        "  Restore a newer backup, or bring the lost machine's journal (GATEWAY_JOURNAL), or onboard the unit anew.",
        f"  الوحدة {fenced.unit_id} موقوفة عن الإصدار، {ar}. استعد نسخة أحدث أو سجّل الوحدة من جديد.",
    )
