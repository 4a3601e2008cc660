"""The breakers of the lines to the authority, as rows: all workers of an installation see the same state."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, insert, or_, select, update

from gateway.breaker import AUTHORITY_LIMIT, CLOSED, UNIT_LIMIT, Breaker, Pause
from gateway.consequence import Line
from gateway.ledger.database import Database
from gateway.ledger.rows import Turn
from gateway.ledger.tables import BREAKER

AUTHORITY: Final = "authority"
_MINE = BREAKER.c
# The authority's first, as claims lock them: whoever locked them the other way round could block both for good.
_THESE: Final = (
    select(BREAKER)
    .where(_MINE.scope.in_((bindparam("authority"), bindparam("unit"))))
    .order_by(case((_MINE.scope == bindparam("authority"), 0), else_=1))
)
_NEWS: Final = or_(_MINE.failures > 0, _MINE.opened > 0)


class BrokenLine(NamedTuple):
    """A line that is down: scope `authority` for all, `taxpayer/unit` for one unit. It broke `since`, failed last at
    `tried_at`, how says `reason`; nothing goes over it before `open_until` but a document that probes it."""

    scope: str
    since: datetime
    tried_at: datetime
    reason: str
    open_until: datetime


class Breakers:
    """Which lines are broken, for operators; sending keeps the state (see below)."""

    _database: Database

    def broken_lines(self) -> tuple[BrokenLine, ...]:
        """The lines that broke and do not work yet."""
        with self._database.reading() as connection:
            rows = connection.execute(select(BREAKER).where(_MINE.opened > 0).order_by(_MINE.scope)).all()
        return tuple(BrokenLine(row.scope, row.since, row.changed_at, row.reason, row.open_until) for row in rows)


def unit_scope(taxpayer_id: str, unit_id: str) -> str:
    """The scope of a unit's line."""
    return f"{taxpayer_id}/{unit_id}"


def lock_lines(connection: Connection) -> dict[str, Breaker]:
    """The lines that are not closed; claims take turns, for the authority's is locked until the transaction ends."""
    connection.execute(select(_MINE.scope).where(_MINE.scope == AUTHORITY).with_for_update())
    rows = connection.execute(select(BREAKER).where(_MINE.opened > 0)).all()
    return {row.scope: _breaker(row) for row in rows}


def keep(
    connection: Connection,
    scope: str,
    breaker: Breaker,
    now: datetime,
    *,
    reason: str | None = None,
    since: datetime | None = None,
) -> None:
    """Put a line's state on record."""
    values: dict[str, Any] = {
        "failures": breaker.failures,
        "opened": breaker.opened,
        "open_until": breaker.open_until,
        "probe": breaker.probe,
        "changed_at": now,
    }
    if reason is not None:
        values["reason"] = reason
    if since is not None:
        values["since"] = since
    if connection.execute(update(BREAKER).where(_MINE.scope == scope).values(**values)).rowcount == 0:
        connection.execute(insert(BREAKER), {"scope": scope, "reason": "", "since": now, **values})


def heed(
    connection: Connection,
    uuid: str,
    unit: str,
    line: Line,
    *,
    now: datetime,
    pause: Pause,
    at_least: timedelta,
    reason: str,
) -> tuple[Turn, ...]:
    """What an answer says of its two lines goes on record; the lines that opened or closed by it."""
    if line is Line.WORKS or line is Line.ISOLATED:
        return _closed(connection, unit, now)
    turns = []
    for scope, before in _states(connection, unit).items():
        if line is Line.LIMITED and scope == unit:
            after = before.paused(now, pause, at_least)
        else:
            limit = AUTHORITY_LIMIT if scope == AUTHORITY else UNIT_LIMIT
            after = before.failed(uuid, limit=limit, now=now, pause=pause)
        keep(connection, scope, after, now, reason=reason, since=now if before.is_closed else None)
        if after.opened != before.opened:
            turns.append(Turn(scope, after.open_until))
    return tuple(turns)


def _states(connection: Connection, unit: str) -> dict[str, Breaker]:
    rows = connection.execute(_THESE.with_for_update(), {"authority": AUTHORITY, "unit": unit}).all()
    return {AUTHORITY: CLOSED, unit: CLOSED} | {row.scope: _breaker(row) for row in rows}


def _closed(connection: Connection, unit: str, now: datetime) -> tuple[Turn, ...]:
    # Asked without a lock: as a rule there is nothing to close.
    rows = connection.execute(_THESE.where(_NEWS), {"authority": AUTHORITY, "unit": unit}).all()
    for row in rows:
        keep(connection, row.scope, CLOSED, now, reason="")
    return tuple(Turn(row.scope, None) for row in rows if row.opened)


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(row.failures, row.opened, row.open_until, row.probe)
