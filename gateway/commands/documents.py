"""Commands over UBL documents in files: hash, read the QR, stamp; and the certificate request of a unit."""

import sys
from datetime import datetime
from pathlib import Path

import click

from gateway import qr, stamp
from gateway.commands.moment import in_riyadh, moment
from gateway.commands.streams import print_json, read_input
from gateway.csid import CsrFields, csr, fields_of, read_certificate
from gateway.unit import Environment


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
    from gateway.unit_file import read_unit

    unit = read_unit(read_input(unit_file), Environment(environment))
    sign, public_key = key_file(Path(key) if key else Path(f"{unit.id}.key.pem"))
    fields: CsrFields = fields_of(unit)
    request = csr(fields, public_key=public_key, sign=sign)
    if output == "-":
        click.echo(request.decode().rstrip())
    else:
        Path(output).write_bytes(request)
        click.echo(f"{output}: certificate request of unit {unit.id}")
