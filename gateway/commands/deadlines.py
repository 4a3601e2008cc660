"""Commands for accountants and operators: what the authority does not have yet, and what it warned of."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from gateway.commands.console import out, table
from gateway.commands.moment import day_of, in_riyadh, minute_of, moment
from gateway.commands.streams import print_json
from gateway.commands.units import choose_taxpayer, installation, taxpayer_option
from gateway.errors import BadInput
from gateway.ledger import Backlog, WarningTrend
from gateway.pipeline.deadlines import (
    advice,
    backlog,
    backlog_json,
    hours_and_minutes,
    soonest_first,
    time_left,
)
from gateway.pipeline.failure_notice import failure_notice
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.trends import MAY_BE_REJECTIONS, trend_json

_QUARTER: Final = timedelta(days=90)


@click.command("deadlines", short_help="What the authority does not have yet.")
@click.option("--notice", is_flag=True, help="Print the failure notice for the authority, in Arabic and English.")
@click.option("--since", type=moment, metavar="TIME", help="With --notice: when the failure began (Riyadh).")
@click.option("--taxpayer", metavar="VAT", help="Whose documents; all taxpayers' if left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a unit and profile; with --notice, the notice.")
def deadlines_command(notice: bool, since: datetime | None, taxpayer: str | None, as_json: bool) -> None:
    """Documents that the authority does not have, by unit: how many, how old, how long is left of the 24 hours.

    Exit 0: none has reached a level of alarm; 1: some have.
    """
    if since and not notice:
        raise BadInput("--since belongs to the failure notice.", fix="Give --notice too.")
    with installation() as gateway:
        if notice:
            _print_notice(gateway, choose_taxpayer(gateway, taxpayer), since, as_json=as_json)
            return
        owner = choose_taxpayer(gateway, taxpayer) if taxpayer else None
        found = soonest_first(backlog(gateway, owner))
        _print_backlog(gateway, found, as_json=as_json)
    raise SystemExit(1 if any(each.level for each in found) else 0)


def _print_notice(gateway: Gateway, owner: str, since: datetime | None, *, as_json: bool) -> None:
    notice = failure_notice(gateway, owner, since=in_riyadh(since) if since else None)
    if as_json:
        print_json(notice.as_json())
        return
    text = notice.text
    click.echo(f"{text.ar}\n\n{text.en}" if "\n" in text.en else f"{text.ar}\n{text.en}")


def _print_backlog(gateway: Gateway, found: Sequence[Backlog], *, as_json: bool) -> None:
    now = gateway.now()
    if as_json:
        for each in found:
            print_json(backlog_json(each, now))
        return
    if not found:
        click.echo("Every document is with the authority.")
    else:
        columns = ("Taxpayer", "Unit", "Profile", "Open", "Held", "Rejected", "Oldest", "Issued", "Left", "Level")
        rows = [_row(each, now) for each in found]
        table("Not with the authority", columns, rows, right=("Open", "Held", "Rejected", "Left", "Level"))
    for said in dict.fromkeys(advice(each.profile, each.level) for each in found if each.level):
        out.print(said, markup=False, soft_wrap=True)
    _print_skew(gateway)


def _row(unit: Backlog, now: datetime) -> tuple[Any, ...]:
    shown = backlog_json(unit, now)
    left = time_left(unit.profile, unit.first_at, now)
    return (
        unit.taxpayer_id,
        unit.unit_id,
        unit.profile.word,
        unit.count,
        shown["held"],
        shown["rejected"],
        unit.first,
        minute_of(unit.first_at),
        "" if left is None else hours_and_minutes(left),
        f"{unit.level} h" if unit.level else "",
    )


def _print_skew(gateway: Gateway) -> None:
    skew = gateway.clocks.skew()
    if skew and skew.is_wrong:
        out.print(
            f"The authority's clock and this machine's differ by {abs(skew.seconds):.0f} s (seen"
            f" {minute_of(skew.at)}): set this machine's clock right (NTP).",
            markup=False,
            soft_wrap=True,
        )


@click.command("warnings", short_help="What the authority warned of, by rule.")
@click.option("--from", "since", type=moment, metavar="TIME", help="From this moment on (Riyadh); else 90 days back.")
@click.option("--to", "until", type=moment, metavar="TIME", help="Before this moment (Riyadh); now if left out.")
@taxpayer_option("Whose documents")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, one a line.")
def warnings_command(since: datetime | None, until: datetime | None, taxpayer: str | None, as_json: bool) -> None:
    """The authority's warnings about accepted documents, by rule: how often, since when, and how it goes by weeks.

    A warning may become a rejection: mend its cause for later documents.
    """
    end = in_riyadh(until) if until else datetime.now(UTC) + timedelta(seconds=1)
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        begin = in_riyadh(since) if since else end - _QUARTER
        found = gateway.ledger.warning_trends(owner, since=begin, until=end)
    if as_json:
        for each in found:
            print_json(trend_json(each))
    elif not found:
        click.echo("The authority warned of nothing.")
    else:
        _print_trends(found)


def _print_trends(found: Sequence[WarningTrend]) -> None:
    rows = [
        (
            each.rule,
            each.count,
            day_of(each.first),
            day_of(each.last),
            " ".join(f"{week}:{count}" for week, count in list(each.weeks.items())[-4:]),
            each.number,
        )
        for each in found
    ]
    columns = ("Rule", "Count", "First", "Last", "Last weeks", "Example")
    table("Warnings of the authority", columns, rows, right=("Count",))
    for each in found:
        out.print(f"{each.rule}: {each.message}", markup=False, soft_wrap=True)
    out.print(MAY_BE_REJECTIONS.en, soft_wrap=True)
