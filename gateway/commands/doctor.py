"""The command that examines the books."""

import time
from datetime import datetime
from pathlib import Path

import click

from gateway.archive import open_store
from gateway.commands.moment import in_riyadh
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json
from gateway.commands.units import read_settings
from gateway.errors import BadInput, Misconfigured
from gateway.ledger import Ledger
from gateway.pipeline.doctor import LAST, Look, Since, Symptom
from gateway.settings import Settings


@click.command("doctor", short_help="Examine the books: chains, documents, stamps, audit log.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each thing that is wrong, and a summary.")
@click.option("--since", metavar="last|DATE", help="Only documents made since then, or since the last look.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes at work.")
def doctor_command(as_json: bool, since: str | None, jobs: int) -> None:
    """Examine the books of this installation: what is wrong, where, and what to do.

    Every document is proved from its stored bytes. It may run beside `gateway serve`. A look that was interrupted goes
    on with --since last. Exit 0 if the books are sound, 1 if not, 2 if they cannot be looked at.
    """
    settings = read_settings()
    began = time.monotonic()
    with _opened(settings) as ledger, Progress(ledger.count_documents, is_silent=True) as progress:

        def tell(count: int) -> None:
            for _ in range(count):
                progress.advance("")

        look = Look(ledger, settings, since=_since(since), jobs=jobs, tell=tell, archive=open_store(settings))
        found = [_say(each, as_json=as_json) for each in look.symptoms()]
    _sum_up(look, found, time.monotonic() - began, as_json=as_json)
    raise SystemExit(1 if any(each.is_error for each in found) else 0)


def _opened(settings: Settings) -> Ledger:
    """The ledger alone: neither keys nor the network are needed to look. One that is not there is not made."""
    url = settings.ledger_url
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        raise Misconfigured(f"There is no ledger {file}.", fix="Set GATEWAY_HOME or GATEWAY_DATABASE_URL.")
    return Ledger.open(url)


def _since(text: str | None) -> Since:
    if text is None or text == LAST:
        return text  # type: ignore[return-value]
    try:
        return in_riyadh(datetime.fromisoformat(text))
    except ValueError:
        raise BadInput(f"--since {text} is neither `last` nor a date.", fix="Write it like 2026-12-01.") from None


def _say(found: Symptom, *, as_json: bool) -> Symptom:
    if as_json:
        print_json(found.as_json())
        return found
    colour = "red" if found.is_error else "yellow"
    click.secho(f"{found.severity.value}: {found.place}", fg=colour)
    for line in (found.message.en, found.message.ar, found.fix.en, found.fix.ar):
        click.echo(f"  {line}")
    return found


def _sum_up(look: Look, found: list[Symptom], seconds: float, *, as_json: bool) -> None:
    errors = sum(each.is_error for each in found)
    seen = {"chains": look.chains, "documents": look.documents, "entries": look.entries}
    if as_json:
        print_json({**seen, "errors": errors, "warnings": len(found) - errors, "seconds": round(seconds, 3)})
        return
    click.echo(
        f"Examined: documents {look.documents}, chains {look.chains}, entries of the audit log {look.entries};"
        f" {seconds:.1f} s, {look.documents / max(seconds, 0.001):.0f} documents/s."
    )
    warnings = f" Warnings: {len(found) - errors}." if len(found) > errors else ""
    click.echo((f"Wrong: {errors}." if errors else "The books are sound.") + warnings)
