"""Commands about the seal of this installation and what it sealed."""

import click

from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, installation


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
    click.echo(f"SHA-256 fingerprint: {key.fingerprint}")  # as a verifier prints it: people compare by eye
    click.echo(f"Valid until: {until:%Y-%m-%d}")
    click.echo(key.pem, nl=False)


@seal_command.command("files-lost", short_help="Say that files of checkpoints are lost for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def files_lost_command(yes: bool) -> None:
    """Say that earlier files of checkpoints are lost for good, so that the doctor misses them no longer.

    From then on the end of the audit log is proved by newer checkpoints alone. It is noted in every taxpayer's log.
    """
    if not yes:
        click.confirm("Are the files lost, and is there no copy?", abort=True)
    with installation() as gateway:
        gateway.ledger.forget_checkpoints()
        for taxpayer in gateway.ledger.taxpayers():
            gateway.note(taxpayer.id, ACTOR, "checkpoints.lost", str(gateway.settings.checkpoints_folder))
    click.echo("The doctor begins anew with the checkpoints that are there.")
