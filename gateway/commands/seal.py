"""The command about the seal of this installation."""

import click

from gateway.commands.streams import print_json
from gateway.commands.units import installation


@click.group("seal", short_help="What this installation seals its records with.")
def seal_command() -> None:
    """What this installation seals its records with: checkpoints of the audit log and exports."""


@seal_command.command("certificate")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def certificate_command(as_json: bool) -> None:
    """Print the certificate (PEM) and its fingerprint.

    Whoever is to trust what is sealed gets them from you by another way than the sealed records: on paper, by a letter,
    by telephone. The private key cannot be printed. It is made with the first seal, and stays.
    """
    with installation() as gateway:
        key = gateway.sealing_key()
    until = key.certificate.not_valid_after_utc
    if as_json:
        print_json({"fingerprint": key.fingerprint, "not_after": until.isoformat(), "certificate": key.pem})
        return
    spelled = ":".join(key.fingerprint[at : at + 2].upper() for at in range(0, len(key.fingerprint), 2))
    click.echo(f"SHA-256 fingerprint: {spelled}")
    click.echo(f"Valid until: {until:%Y-%m-%d}")
    click.echo(key.pem, nl=False)
