"""The warnings the authority accepted documents with, by rule and over time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from gateway.invoice.facts import RIYADH
from gateway.ledger.database import Database
from gateway.ledger.tables import DOCUMENT, TAXPAYER, WARNING


@dataclass(frozen=True, slots=True)
class WarningTrend:
    """How often a rule was warned of. `weeks` counts by ISO week in Riyadh ("2026-W48"); the example is the last
    document, with what the authority said of it."""

    rule: str
    count: int
    first: datetime
    last: datetime
    weeks: Mapping[str, int]
    uuid: str
    number: str
    message: str


class Trends:
    """What is seen only over many documents."""

    _database: Database

    def warning_trends(self, taxpayer_id: str, *, since: datetime, until: datetime) -> tuple[WarningTrend, ...]:
        """The rules warned of from `since` to before `until`, the most frequent first."""
        warning = WARNING.c
        # An hour of UTC lies within one day of Riyadh, so hours are all that has to be fetched.
        hour = func.substr(warning.at, literal_column("1"), literal_column("13"))
        wanted = (
            select(warning.rule, hour, func.count(), func.min(warning.at), func.max(warning.at))
            .where(warning.taxpayer_id == taxpayer_id, warning.at >= since, warning.at < until)
            .group_by(warning.rule, hour)
        )
        rules: dict[str, list[Any]] = defaultdict(list)
        with self._database.reading() as connection:
            for row in connection.execute(wanted):
                rules[row.rule].append(row)
            found = [_trend(connection, taxpayer_id, rule, hours) for rule, hours in rules.items()]
        return tuple(sorted(found, key=lambda trend: (-trend.count, trend.rule)))

    def warnings_by_rule(self, *, since: datetime) -> Mapping[str, int]:
        """How many warnings of each rule all taxpayers together got since then."""
        count = func.count()
        owners = WARNING.c.taxpayer_id.in_(select(TAXPAYER.c.id))  # the index begins with them
        wanted = select(WARNING.c.rule, count).where(owners, WARNING.c.at >= since).group_by(WARNING.c.rule)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(count.desc(), WARNING.c.rule)).all()
        return {row[0]: row[1] for row in rows}


def _trend(connection: Connection, taxpayer_id: str, rule: str, hours: Sequence[Any]) -> WarningTrend:
    weeks: dict[str, int] = defaultdict(int)
    for _, hour, count, *_ in sorted(hours, key=lambda row: row[1]):
        weeks[_week(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).astimezone(RIYADH).date())] += count
    last = max(row[4] for row in hours)
    example = connection.execute(
        select(DOCUMENT.c.uuid, DOCUMENT.c.number, WARNING.c.message)
        .join(WARNING, WARNING.c.document_uuid == DOCUMENT.c.uuid)
        .where(WARNING.c.taxpayer_id == taxpayer_id, WARNING.c.at == last, WARNING.c.rule == rule)
        .order_by(DOCUMENT.c.uuid)
        .limit(1)
    ).one()
    count = sum(row[2] for row in hours)
    return WarningTrend(rule, count, min(row[3] for row in hours), last, dict(weeks), *example)


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"
