"""Commands for proof that is carried away: making a package, and verifying one."""

import os
from datetime import datetime
from pathlib import Path

import click

from gateway import verifier
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.errors import BadInput
from gateway.issued import Status
from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.verifier import fingerprint_of, verify

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("export", short_help="Make a sealed package of documents that an auditor can carry away.")
@click.argument("package", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "since", type=_DAY, metavar="DAY", help="First day of issue (Riyadh), such as 2026-01-01.")
@click.option("--to", "until", type=_DAY, metavar="DAY", help="Last day of issue.")
@click.option("--unit", "units", multiple=True, help="Only what this unit issued; may be repeated.")
@click.option("--status", "statuses", multiple=True, type=click.Choice([each.value for each in Status]),
              help="Only documents of this status; may be repeated.")  # fmt: skip
@click.option("--buyer", default="", help="Only documents to this buyer: part of the name, or the whole VAT number.")
@click.option("--anew", is_flag=True, help="Drop what was begun under this name and begin again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@taxpayer_option("Whose documents")
def export_command(
    package: Path,
    since: datetime | None,
    until: datetime | None,
    units: tuple[str, ...],
    statuses: tuple[str, ...],
    buyer: str,
    anew: bool,
    as_json: bool,
    taxpayer: str | None,
) -> None:
    """Make PACKAGE, a new ZIP: documents, the authority's answers, chains, the audit log, certificates, an index in
    Arabic and English, a verifier, and a seal over all of it.

    \b
    The year before last:  gateway export 2025.zip --from 2025-01-01 --to 2025-12-31
    One branch:            gateway export riyadh.zip --unit RUH1

    Whatever is asked for, chains are whole: of documents that are left out their hashes are in, so that it can be
    proved that no other is missing. Where no document is of this kind there is no package. Interrupted, by a full disk
    say, the same command goes on where it stopped. It needs no network, and the gateway may be running.
    """
    scope = Scope(since.date() if since else None, until.date() if until else None, units, statuses, buyer)
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        with Progress(lambda: gateway.ledger.count_documents(owner), is_silent=True) as progress:
            done = export(gateway, owner, scope, package, actor=ACTOR, anew=anew, tell=progress.jump)
        fingerprint = gateway.sealing_key().fingerprint
    if as_json:
        print_json({"package": str(package), "documents": done.documents, "files": done.files,
                    "manifest_sha256": done.manifest, "seal_fingerprint": fingerprint,
                    "resumed": done.went_on})  # fmt: skip
        return
    went_on = "It went on where it had stopped. " if done.went_on else ""
    click.echo(f"{went_on}Documents in {package}: {done.documents}; files: {done.files}.")
    click.echo(f"It is sealed by the certificate with the SHA-256 fingerprint\n  {fingerprint}")
    click.echo("Give the fingerprint to the auditor by another way than the package: `gateway seal certificate`.")


@click.command("verify", short_help="Verify a package, with nobody's help.")
@click.argument("package", type=click.Path(path_type=Path, exists=True))
@click.option("--fingerprint", metavar="HEX", help="SHA-256 fingerprint of the sealing certificate you trust.")
@click.option("--certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="File with the sealing certificate you trust, instead.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Processes at work; all cores if not said.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
def verify_command(
    package: Path, fingerprint: str | None, certificate: Path | None, jobs: int | None, as_json: bool
) -> None:
    """Verify PACKAGE, a ZIP that `gateway export` made or the folder it was unpacked to.

    From the seal to the manifest, to every file, every chain, every document's hash, stamp, QR and answer, and the
    audit log: what is wrong is named, and so is what a package cannot prove. It needs no database, no network and no
    settings; `verify.py` inside the package does the same without the gateway. Exit 0 if nothing is wrong, 1 if
    something is, 2 if the package cannot be opened.
    """
    trusted = _trusted(certificate) if certificate else "" if fingerprint is None else _spelled(fingerprint)
    with Progress(lambda: 100, is_silent=True) as progress:
        report = verify(package, jobs=jobs or os.cpu_count() or 1, trusted=trusted, tell=progress.percent)
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            click.secho(line, fg="red" if line.startswith("WRONG") else None)
    raise SystemExit(0 if report.is_sound else 1)


def _spelled(text: str) -> str:
    try:
        return verifier.fingerprint(text)
    except ValueError as error:
        raise BadInput(f"--fingerprint {text!r}: {error}.", fix="`gateway seal certificate` shows it.") from None


def _trusted(file: Path) -> str:
    try:
        return fingerprint_of(file)
    except ValueError:
        raise BadInput(f"{file} is no certificate.", fix="Give it in PEM or DER.") from None
