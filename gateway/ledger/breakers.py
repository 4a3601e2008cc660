"""The breakers of the lines to the authority, as rows: all workers of an installation see the same state."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Connection, Row, bindparam, insert, or_, select, update

from gateway.breaker import AUTHORITY_LIMIT, CLOSED, UNIT_LIMIT, Breaker, Pause
from gateway.consequence import Line
from gateway.ledger.database import Database
from gateway.ledger.rows import Turn
from gateway.ledger.tables import BREAKER

AUTHORITY: Final = "authority"
_MINE = BREAKER.c
_ONE: Final = select(BREAKER).where(_MINE.scope == bindparam("scope"))
_NEWS: Final = select(1).where(
    _MINE.scope.in_((bindparam("authority"), bindparam("unit"))), or_(_MINE.failures > 0, _MINE.opened > 0)
)


class BrokenLine(NamedTuple):
    """A line that is down: scope `authority` for all, `taxpayer/unit` for one unit. It broke `since`, failed last at
    `tried_at`, how says `reason`; nothing goes over it before `open_until` but a document that probes it."""

    scope: str
    since: datetime
    tried_at: datetime
    reason: str
    open_until: datetime

    @property
    def is_authoritys(self) -> bool:
        """Whether it is the one that all documents go by."""
        return self.scope == AUTHORITY


@dataclass(frozen=True, slots=True)
class News:
    """What an answer says of the lines it came over, and how long a line that breaks is left alone."""

    line: Line
    pause: Pause
    at_least: timedelta = timedelta()
    reason: str = ""


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


def lock_lines(connection: Connection, now: datetime) -> dict[str, Breaker]:
    """The lines that may be probed, and the authority's if it is not closed. Claims take turns, for the authority's is
    locked until the transaction ends."""
    connection.execute(_ONE.with_for_update(), {"scope": AUTHORITY})
    wanted = select(BREAKER).where(_MINE.opened > 0, or_(_MINE.scope == AUTHORITY, _MINE.open_until <= now))
    return {row.scope: _breaker(row) for row in connection.execute(wanted)}


def rests(taxpayer: Column[Any], unit: Column[Any], now: datetime) -> Any:
    """Whether nothing may go over the line of the unit that these columns name."""
    scope = taxpayer.concat("/").concat(unit)
    return select(1).where(_MINE.scope == scope, _MINE.opened > 0, _MINE.open_until > now).exists()


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


def give_up_probe(connection: Connection, uuid: str, unit: str, now: datetime) -> None:
    """The document that was to try these lines will not: another may, at once."""
    if connection.execute(select(1).where(_MINE.probe == uuid)).first() is None:
        return
    for scope, state in _states(connection, unit).items():
        if state.probe == uuid:
            keep(connection, scope, replace(state, probe="", open_until=now), now)


def heed(connection: Connection, uuid: str, unit: str, news: News, now: datetime) -> tuple[Turn, ...]:
    """What an answer says of its two lines goes on record; the lines that opened or closed by it."""
    if news.line in (Line.WORKS, Line.ISOLATED):
        return _closed(connection, unit, now)
    turns = []
    for scope, before in _states(connection, unit).items():
        if news.line is Line.LIMITED and scope == unit:
            after = before.limited(uuid, now=now, pause=news.pause, asked=news.at_least)
        else:
            limit = AUTHORITY_LIMIT if scope == AUTHORITY else UNIT_LIMIT
            after = before.failed(uuid, limit=limit, now=now, pause=news.pause)
        keep(connection, scope, after, now, reason=news.reason, since=now if before.is_closed else None)
        if after.opened != before.opened:
            turns.append(Turn(scope, after.open_until))
    return tuple(turns)


def _states(connection: Connection, unit: str) -> dict[str, Breaker]:
    """The two lines, locked in the order in which claims lock them: the authority's first."""
    states = {AUTHORITY: CLOSED, unit: CLOSED}
    for scope in states:
        if row := connection.execute(_ONE.with_for_update(), {"scope": scope}).first():
            states[scope] = _breaker(row)
    return states


def _closed(connection: Connection, unit: str, now: datetime) -> tuple[Turn, ...]:
    # Asked without a lock: as a rule there is nothing to close.
    if connection.execute(_NEWS, {"authority": AUTHORITY, "unit": unit}).first() is None:
        return ()
    states = {scope: state for scope, state in _states(connection, unit).items() if state != CLOSED}
    for scope in states:
        keep(connection, scope, CLOSED, now, reason="")
    return tuple(Turn(scope, None) for scope, before in states.items() if before.opened)


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(row.failures, row.opened, row.open_until, row.probe)
