"""Commands for accountants and operators: what the authority does not have yet, and what it warned of."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from gateway.commands.console import out, table
from gateway.commands.moment import day_of, in_riyadh, minute_of, moment
from gateway.commands.streams import print_json
from gateway.commands.units import choose_taxpayer, installation, taxpayer_option
from gateway.commands.verdicts import Language, spoken
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.facts import Profile
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
_LANG = click.option(
    "--lang", type=click.Choice(["en", "ar"]), default="en", show_default=True, help="Of what people read."
)
_NOTHING_OPEN: Final = Text("Every document is with the authority.", "كل المستندات لدى الهيئة.")
_OPEN: Final = (
    Text("Not with the authority", "مستندات ليست لدى الهيئة"),
    Text("Taxpayer", "المكلف"),
    Text("Unit", "الوحدة"),
    Text("Profile", "النوع"),
    Text("Open", "المتبقية"),
    Text("Held", "الموقوفة"),
    Text("Rejected", "المرفوضة"),
    Text("Oldest", "الأقدم"),
    Text("Issued", "تاريخ الإصدار"),
    Text("Left", "المهلة"),
    Text("Level", "المستوى"),
)
_PROFILES: Final = {Profile.STANDARD: Text("standard", "ضريبية"), Profile.SIMPLIFIED: Text("simplified", "مبسطة")}
_HOURS: Final = Text("h", "ساعة")
_SKEW: Final = Text(
    "The authority's clock and this machine's differ by {seconds:.0f} s (seen {at}): set this machine's clock right"
    " (NTP).",
    "تختلف ساعة الهيئة عن ساعة هذا الخادم بمقدار {seconds:.0f} ثانية (لوحظ ذلك في {at}): اضبط ساعة الخادم (NTP).",
)
_NO_WARNING: Final = Text("The authority warned of nothing.", "لم تصدر عن الهيئة أي تحذيرات.")
_WARNINGS: Final = (
    Text("Warnings of the authority", "تحذيرات الهيئة"),
    Text("Rule", "القاعدة"),
    Text("Count", "العدد"),
    Text("First", "أول مرة"),
    Text("Last", "آخر مرة"),
    Text("Last weeks", "الأسابيع الأخيرة"),
    Text("Example", "مثال"),
)


@click.command("deadlines", short_help="What the authority does not have yet.")
@click.option("--notice", is_flag=True, help="Print the failure notice for the authority, in Arabic and English.")
@click.option("--since", type=moment, metavar="TIME", help="With --notice: when the failure began (Riyadh).")
@click.option("--taxpayer", metavar="VAT", help="Whose documents; all taxpayers' if left out.")
@_LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a unit and profile; with --notice, the notice.")
def deadlines_command(
    notice: bool, since: datetime | None, taxpayer: str | None, lang: Language, as_json: bool
) -> None:
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
        _print_backlog(gateway, found, lang, as_json=as_json)
    raise SystemExit(1 if any(each.level for each in found) else 0)


def _print_notice(gateway: Gateway, owner: str, since: datetime | None, *, as_json: bool) -> None:
    notice = failure_notice(gateway, owner, since=in_riyadh(since) if since else None)
    if as_json:
        print_json(notice.as_json())
        return
    text = notice.text
    click.echo(f"{text.ar}\n\n{text.en}" if "\n" in text.en else f"{text.ar}\n{text.en}")


def _print_backlog(gateway: Gateway, found: Sequence[Backlog], lang: Language, *, as_json: bool) -> None:
    now = gateway.now()
    if as_json:
        for each in found:
            print_json(backlog_json(each, now))
        return
    if not found:
        click.echo(spoken(_NOTHING_OPEN, lang))
    else:
        title, *columns = (spoken(text, lang) for text in _OPEN)
        table(title, columns, [_row(each, now, lang) for each in found], right=[*columns[3:6], *columns[8:]])
    for said in dict.fromkeys(advice(each.profile, each.level) for each in found if each.level):
        out.print(spoken(said, lang), markup=False, soft_wrap=True)
    _print_skew(gateway, lang)


def _row(unit: Backlog, now: datetime, lang: Language) -> tuple[Any, ...]:
    shown = backlog_json(unit, now)
    left = time_left(unit.profile, unit.first_at, now)
    return (
        unit.taxpayer_id,
        unit.unit_id,
        spoken(_PROFILES[unit.profile], lang),
        unit.count,
        shown["held"],
        shown["rejected"],
        unit.first,
        minute_of(unit.first_at),
        "" if left is None else hours_and_minutes(left),
        f"{unit.level} {spoken(_HOURS, lang)}" if unit.level else "",
    )


def _print_skew(gateway: Gateway, lang: Language) -> None:
    skew = gateway.clocks.skew()
    if skew and skew.is_wrong:
        said = spoken(_SKEW, lang).format(seconds=abs(skew.seconds), at=minute_of(skew.at))
        out.print(said, markup=False, soft_wrap=True)


@click.command("warnings", short_help="What the authority warned of, by rule.")
@click.option("--from", "since", type=moment, metavar="TIME", help="From this moment on (Riyadh); else 90 days back.")
@click.option("--to", "until", type=moment, metavar="TIME", help="Before this moment (Riyadh); now if left out.")
@taxpayer_option("Whose documents")
@_LANG
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, one a line.")
def warnings_command(
    since: datetime | None, until: datetime | None, taxpayer: str | None, lang: Language, as_json: bool
) -> None:
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
        click.echo(spoken(_NO_WARNING, lang))
    else:
        _print_trends(found, lang)


def _print_trends(found: Sequence[WarningTrend], lang: Language) -> None:
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
    title, *columns = (spoken(text, lang) for text in _WARNINGS)
    table(title, columns, rows, right=columns[1:2])
    for each in found:
        out.print(f"{each.rule}: {each.message}", markup=False, soft_wrap=True)
    out.print(spoken(MAY_BE_REJECTIONS, lang), soft_wrap=True)
