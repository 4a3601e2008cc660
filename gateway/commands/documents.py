"""Commands over UBL documents in files: judge, hash, read the QR, stamp; and the certificate request of a unit."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway import qr, stamp
from gateway.commands.console import out, print_json, read_input
from gateway.csid import CsrFields, csr, fields_of, read_certificate
from gateway.errors import BadInput
from gateway.invoice.facts import RIYADH
from gateway.order import EARLIEST, LATEST
from gateway.rules import Report, check
from gateway.unit import Environment
from gateway.unit_file import read_unit

moment = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


def in_riyadh(value: datetime | None) -> datetime:
    """A moment from the command line, in Riyadh unless it names its zone; now if there is none."""
    if value is None:
        return datetime.now(UTC)
    if not EARLIEST <= value.date() <= LATEST:
        raise BadInput(f"{value.date()} is no time for an invoice.", fix=f"Give one from {EARLIEST} to {LATEST}.")
    return value if value.tzinfo else value.replace(tzinfo=RIYADH)


@click.command("validate", short_help="Judge UBL invoices, ours or anyone's.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a document, one document a line.")
@click.option(
    "--as-of", type=moment, metavar="TIME", help="Judge as of this moment (Riyadh time), e.g. 2026-11-23T10:00:00."
)
@click.option("--pih", metavar="HASH", help="The hash (base64) that it has to carry as its previous hash.")
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="The certificate it has to be signed with.")
def validate_command(paths: tuple[str, ...], as_json: bool, as_of: datetime | None, pih: str, cert: str) -> None:
    """Judge UBL invoices, ours or anyone's: schema, official rules, QR, signature, previous hash.

    A PATH is a file, a folder (its *.xml files) or - for standard input. Exit 0: all valid; 1: some are not;
    2: something could not be read.
    """
    certificate = read_certificate(read_input(cert)) if cert else None
    worst = 0
    for path in _documents(paths):
        try:
            report = check(read_input(path), now=in_riyadh(as_of), certificate=certificate, pih=pih or None)
        except BadInput as error:
            worst = 2
            _print_unreadable(path, error, as_json=as_json)
            continue
        worst = max(worst, 0 if report.valid else 1)
        if as_json:
            print_json(report.as_json(path))
        else:
            _print_report(path, report)
    raise SystemExit(worst)


def _documents(paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        if path != "-" and Path(path).is_dir():
            found = sorted(str(file) for file in Path(path).glob("*.xml"))
            if not found:
                raise BadInput(f"{path} has no *.xml files.", fix="Name the files, or the folder they are in.")
            yield from found
        else:
            yield path


def _print_unreadable(path: str, error: BadInput, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": path, "valid": False, "error": {"message": error.what, "fix": error.fix}})
    else:
        out.print("[red]unreadable[/]  ", end="")
        out.print(f"{path}: {error}", markup=False, soft_wrap=True)


def _print_report(path: str, report: Report) -> None:
    out.print(f"[{'green]valid' if report.valid else 'red]invalid'}[/]  ", end="")
    out.print(path, markup=False, soft_wrap=True)
    for finding in (*report.xsd, *report.findings):
        colour = "red" if finding.is_error else "yellow"
        term = f" {finding.term}" if finding.term else ""
        out.print(f"  [{colour}]{finding.rule}[/]{term}: ", end="")
        out.print(f"{finding.message.en} {finding.fix.en}", markup=False, soft_wrap=True)
        out.print(f"    at {finding.path}", markup=False, soft_wrap=True)
    for name in report.stopped:
        out.print(f"  [yellow]stopped[/]: the official implementation abandons its set {name} on this document")


@click.command("hash")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def hash_command(files: tuple[str, ...]) -> None:
    """The invoice hash of each file in base64, one a line."""
    for file in files:
        click.echo(stamp.invoice_hash(read_input(file)))


@click.command("qr", short_help="The tags of an invoice's QR.")
@click.argument("source", metavar="FILE|BASE64|-")
@click.option("--json", "as_json", is_flag=True, help="The tags as one JSON object.")
@click.option("--svg", type=click.Path(dir_okay=False, writable=True), help="Also draw the code into this file.")
def qr_command(source: str, as_json: bool, svg: str | None) -> None:
    """Read a QR: the tags of an invoice's QR, or of the base64 text itself."""
    text = _qr_text(source)
    tags = qr.decode(text)
    if svg:
        Path(svg).write_bytes(qr.svg(text))
    if as_json:
        print_json({str(tag.number): tag.shown for tag in tags})
        return
    for tag in tags:
        click.echo(f"{tag.number}  {tag.meaning:<24} {tag.shown}")


def _qr_text(source: str) -> str:
    if source != "-" and not _is_there(source):
        return source
    data = read_input(source)
    return (
        stamp.qr_text(data)
        if data.lstrip().startswith((b"<", b"\xef\xbb\xbf<"))
        else data.decode("ascii", "replace").strip()
    )


def _is_there(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # a QR's text is longer than a file's name may be
        return False


@click.command("stamp", short_help="Hash, sign and QR any unsigned UBL invoice.")
@click.option(
    "--key", required=True, type=click.Path(exists=True, dir_okay=False), help="The private key (PEM, secp256k1)."
)
@click.option(
    "--cert", required=True, type=click.Path(exists=True, dir_okay=False), help="Its certificate (PEM, DER or base64)."
)
@click.option("--time", "time", type=moment, metavar="TIME", help="Signing time in Riyadh; now if left out.")
@click.argument("source", metavar="IN")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Where the stamped document goes; - is standard output."
)
def stamp_command(key: str, cert: str, time: datetime | None, source: str, output: str) -> None:
    """Hash, sign and QR any unsigned UBL invoice; nothing but the stamp is changed.

    For trying things out with test keys: in daily work a unit's key never leaves the gateway.
    """
    from gateway.keys import signer_of_pem

    certificate = read_certificate(read_input(cert))
    sign = signer_of_pem(read_input(key), certificate.public_key)
    document = stamp.stamp(read_input(source), sign=sign, certificate=certificate, signing_time=in_riyadh(time))
    if output == "-":
        sys.stdout.buffer.write(document.xml)
        return
    Path(output).write_bytes(document.xml)
    click.echo(f"{output}: hash {document.hash}")


@click.command("csr", short_help="Key and certificate request of a unit.")
@click.argument("unit_file", metavar="UNIT.json")
@click.option(
    "--key", type=click.Path(dir_okay=False), help="A private key (PEM) to use; a new one is made if it does not exist."
)
@click.option("-o", "--output", default="-", metavar="OUT", help="Where the request goes; standard output if left out.")
@click.option(
    "--environment", type=click.Choice([each.value for each in Environment]), default=Environment.SANDBOX.value,
    show_default=True, help="Decides the certificate template the authority is asked for.",
)  # fmt: skip
def csr_command(unit_file: str, key: str | None, output: str, environment: str) -> None:
    """Key and certificate request (CSR) for a unit, outside the gateway's own keeping.

    `gateway onboard` does this by itself with a key that cannot be exported; use this command to look at a
    request, or to onboard by hand.
    """
    from gateway.keys import key_file

    unit = read_unit(read_input(unit_file), Environment(environment))
    sign, public_key = key_file(Path(key) if key else Path(f"{unit.id}.key.pem"))
    fields: CsrFields = fields_of(unit)
    request = csr(fields, public_key=public_key, sign=sign)
    if output == "-":
        click.echo(request.decode().rstrip())
    else:
        Path(output).write_bytes(request)
        click.echo(f"{output}: certificate request of unit {unit.id}")
