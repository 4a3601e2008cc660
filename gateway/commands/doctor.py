"""The command that examines the books."""

import os
import time
from datetime import date, datetime
from pathlib import Path
from typing import Final, NoReturn

import click

from gateway.archive import open_store
from gateway.commands.moment import in_riyadh
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json
from gateway.commands.units import read_settings
from gateway.errors import BadInput, Misconfigured, Unknown
from gateway.invoice.facts import RIYADH
from gateway.ledger import Ledger
from gateway.pipeline.doctor import LAST, Examination, Result, Since, Symptom, examine_night, last_result
from gateway.settings import Settings

_NICE: Final = 15
_WORTH_A_PROCESS: Final = 3000


@click.command("doctor", short_help="Examine the books: chains, documents, stamps, audit log.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each thing that is wrong, and a summary.")
@click.option("--since", metavar="last|DAY", help="Only documents made since then, or since the last look.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Processes at work; left out: one for each core, if it pays.")
@click.option("--last", "show_last", is_flag=True, help="Show what the last night's examination found.")
@click.option("--night", metavar="DATE", hidden=True, help="Examine the books for a night, as a worker has it done.")
def doctor_command(as_json: bool, since: str | None, jobs: int | None, show_last: bool, night: str | None) -> None:
    """Examine the books of this installation: what is wrong, where, and what to do.

    Every document is proved from its stored bytes. It may run beside `gateway serve`. A look that was interrupted goes
    on with --since last. `gateway serve` and `gateway work` do so by themselves every night (GATEWAY_DOCTOR_HOUR).

    Exit 0 if the books are sound, 1 if not, 2 if they cannot be looked at.
    """
    settings = read_settings()
    if show_last:
        _show_last(settings, as_json=as_json)
    if night:
        _examine_night(settings, date.fromisoformat(night))
    began = time.monotonic()
    with _opened(settings) as ledger, Progress(ledger.count_documents, is_silent=True) as progress:
        examination = Examination(
            ledger,
            settings,
            since=_since(since),
            jobs=jobs or _fitting(ledger),
            tell=progress.jump,
            archive=open_store(settings),
        )
        found = [_say(each, as_json=as_json) for each in examination.symptoms()]
    _sum_up(examination, found, time.monotonic() - began, as_json=as_json)
    raise SystemExit(1 if any(each.is_error for each in found) else 0)


def _show_last(settings: Settings, *, as_json: bool) -> NoReturn:
    with _opened(settings) as ledger:
        result = last_result(ledger)
    if result is None:
        raise Unknown(
            "No night's examination has ended here yet.",
            fix="They are examined every night (GATEWAY_DOCTOR_HOUR) while `gateway serve` or `gateway work` runs. To"
            " examine them now: gateway doctor",
        )
    if as_json:
        print_json(result.as_json())
    else:
        for each in result.symptoms:
            _say(each, as_json=False)
        _sum_up_night(result)
    raise SystemExit(1 if result.errors else 0)


def _sum_up_night(result: Result) -> None:
    what = "everything" if result.whole else "what was new"
    ended, seen = result.ended_at.astimezone(RIYADH), result.seen
    click.echo(
        f"Night of {result.night}, {what}: documents {seen['documents']}, chains {seen['chains']}, entries of the audit"
        f" log {seen['entries']}; ended {ended:%Y-%m-%d %H:%M}."
    )
    if result.errors + result.warnings > len(result.symptoms):
        click.echo(f"The first {len(result.symptoms)} are shown; `gateway doctor` shows all.")
    click.echo(f"Wrong: {result.errors}." if result.errors else "The books are sound.", nl=False)
    click.echo(f" Warnings: {result.warnings}." if result.warnings else "")


def _examine_night(settings: Settings, night: date) -> NoReturn:
    """With low priority: documents are made and sent meanwhile."""
    os.nice(_NICE)
    with _opened(settings) as ledger:
        result = examine_night(ledger, night, Examination(ledger, settings, archive=open_store(settings)))
    raise SystemExit(1 if result.errors else 0)


def _fitting(ledger: Ledger) -> int:
    """How many processes pay: starting one takes as long as examining a thousand documents."""
    return min(os.cpu_count() or 1, 1 + ledger.count_documents() // _WORTH_A_PROCESS)


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


def _sum_up(examination: Examination, found: list[Symptom], seconds: float, *, as_json: bool) -> None:
    errors = sum(each.is_error for each in found)
    if as_json:
        print_json(
            {**examination.seen, "errors": errors, "warnings": len(found) - errors, "seconds": round(seconds, 3)}
        )
        return
    click.echo(
        f"Examined: documents {examination.documents}, chains {examination.chains}, entries of the audit log"
        f" {examination.entries}; {seconds:.1f} s, {examination.documents / max(seconds, 0.001):.0f} documents/s."
    )
    warnings = f" Warnings: {len(found) - errors}." if len(found) > errors else ""
    click.echo((f"Wrong: {errors}." if errors else "The books are sound.") + warnings)
