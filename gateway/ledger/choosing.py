"""Which documents go next: those that are due, over lines that work, and no more of one taxpayer than is fair.

A line that is broken is tried with the document that was tried least. The most urgent one would be the same every time,
and a document that no answer ever comes to would keep the line broken for all others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, case, func, or_, select

from gateway.breaker import Breaker
from gateway.ledger import tables as t
from gateway.ledger.breakers import AUTHORITY, keep, rests, unit_scope
from gateway.ledger.rows import Limits

TRIED_IN_VAIN: Final = 3
"""After so many attempts a document leaves half of the room to others, if there are others."""

_MINE = t.SUBMISSION.c
_VAIN = _MINE.attempts >= TRIED_IN_VAIN
_UNDER_WAY: Final = (
    select(_MINE.taxpayer_id, func.count(), func.sum(case((_VAIN, 1), else_=0)))
    .where(_MINE.lease_until > bindparam("now"))
    .group_by(_MINE.taxpayer_id)
)


def choose(
    connection: Connection,
    lines: Mapping[str, Breaker],
    *,
    now: datetime,
    limit: int,
    lease_until: datetime,
    limits: Limits,
) -> list[str]:
    """The documents to take, at most `limit`, locked. `lines` are those to be probed: of each one document goes, and is
    noted there as the one that does until `lease_until`."""
    choice = _Choice(connection, lines, now, lease_until, limits)
    room = min(limit, limits.total - choice.under_way)
    if AUTHORITY in lines:
        room = min(room, 1)
    choice.fill(room, fairly=True)
    if choice.held_back:
        choice.fill(room, fairly=False)
    return [row.document_uuid for row in choice.taken]


class _Choice:
    """What has been taken so far, and who has how much under way by it."""

    def __init__(
        self, connection: Connection, lines: Mapping[str, Breaker], now: datetime, lease_until: datetime, limits: Limits
    ) -> None:
        self._connection = connection
        self._lines = lines
        self._now = now
        self._until = lease_until
        self._limits = limits
        self._busy: Counter[str] = Counter()
        self._vain: Counter[str] = Counter()
        for taxpayer, number, vain in connection.execute(_UNDER_WAY, {"now": now}):
            self._busy[taxpayer], self._vain[taxpayer] = number, int(vain)
        self._probed: set[str] = set()
        self.under_way = self._busy.total()
        self.taken: list[Row[Any]] = []

    @property
    def held_back(self) -> bool:
        """Whether anybody was passed over for having had half."""
        return any(self._had_half(taxpayer) for taxpayer in self._vain)

    def fill(self, room: int, *, fairly: bool) -> None:
        """Take until `room` is full or nothing is left; `fairly`: what was tried in vain gets no more than half."""
        while len(self.taken) < room:
            wanted = self._wanted(fairly).order_by(*self._order()).limit(room - len(self.taken))
            found = self._connection.execute(wanted).all()
            for row in found:
                self._consider(row, fairly)
            if not found:
                return

    def _consider(self, row: Row[Any], fairly: bool) -> None:
        scope = unit_scope(row.taxpayer_id, row.unit_id)
        # What has changed by the rows before this one; all else the statement has seen to.
        if scope in self._probed or self._busy[row.taxpayer_id] >= self._limits.taxpayer:
            return
        if fairly and row.attempts >= TRIED_IN_VAIN and self._had_half(row.taxpayer_id):
            return
        self._take(self._least_tried(row) if scope in self._lines else row, scope)

    def _take(self, row: Row[Any], scope: str) -> None:
        for line in (AUTHORITY, scope):
            if line in self._lines:
                keep(self._connection, line, self._lines[line].probed_by(row.document_uuid, self._until), self._now)
                self._probed.add(line)
        self.taken.append(row)
        self._busy[row.taxpayer_id] += 1
        self._vain[row.taxpayer_id] += row.attempts >= TRIED_IN_VAIN

    def _least_tried(self, row: Row[Any]) -> Row[Any]:
        of_unit = (_MINE.taxpayer_id == row.taxpayer_id, _MINE.unit_id == row.unit_id)
        wanted = self._wanted(fairly=False).where(*of_unit).order_by(_MINE.attempts, _MINE.due_by).limit(1)
        return self._connection.execute(wanted).first() or row

    def _order(self) -> tuple[Any, ...]:
        return (_MINE.attempts, _MINE.due_by) if AUTHORITY in self._lines else (_MINE.due_by,)

    def _wanted(self, fairly: bool) -> Select[Any]:
        full = [taxpayer for taxpayer, number in self._busy.items() if number >= self._limits.taxpayer]
        wanted = _due_now(self._now, full, [row.document_uuid for row in self.taken])
        if not fairly:
            return wanted
        if self._vain.total() >= _half(self._limits.total):
            return wanted.where(~_VAIN)
        return wanted.where(or_(~_VAIN, _MINE.taxpayer_id.not_in(list(filter(self._had_half, self._vain)))))

    def _had_half(self, taxpayer: str) -> bool:
        half = self._vain[taxpayer] >= _half(self._limits.taxpayer)
        return half or self._vain.total() >= _half(self._limits.total)


def _half(room: int) -> int:
    return max(room // 2, 1)


def _due_now(now: datetime, full: Sequence[str], taken: Sequence[str]) -> Select[Any]:
    columns = (_MINE.document_uuid, _MINE.taxpayer_id, _MINE.unit_id, _MINE.attempts)
    return (
        select(*columns)
        .where(
            _MINE.next_at <= now,
            _MINE.lease_until.is_(None) | (_MINE.lease_until <= now),
            unit_is_free(),
            # Asked here and not listed: thousands of units may rest, and a statement takes no list of thousands.
            ~rests(_MINE.taxpayer_id, _MINE.unit_id, now),
            _MINE.taxpayer_id.not_in(list(full)),
            _MINE.document_uuid.not_in(list(taken)),
        )
        .with_for_update(skip_locked=True)
    )


def unit_is_free() -> Any:
    """Whether a submission's unit is not held."""
    unit, submission = t.UNIT.c, t.SUBMISSION.c
    return (
        select(1)
        .where(unit.taxpayer_id == submission.taxpayer_id, unit.id == submission.unit_id, unit.held_at.is_(None))
        .exists()
    )
