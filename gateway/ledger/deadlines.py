"""What the authority does not have yet: alarms by the age of documents, and why they wait.

How many hours an alarm takes is decided elsewhere: bands of age are handed in. An alarm raised is remembered with the
document in the transaction that raises it, so that each is raised once, whoever asks and however often.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Subquery, and_, case, func, or_, select, update

from gateway.invoice.facts import Profile
from gateway.issued import REPORTING_WINDOW, Status
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.columns import iso
from gateway.ledger.database import Database
from gateway.ledger.tables import ATTEMPT, DOCUMENT, SUBMISSION, UNIT

WITHOUT_AUTHORITY: Final = tuple(status for status in Status if not (status.is_accepted or status is Status.REPLACED))
"""Documents of these stand for a sale that the authority does not know; a rejected one does until it is replaced."""

_OPEN: Final = SUBMISSION.c.status.in_([status.value for status in WITHOUT_AUTHORITY])
_OF_ONE: Final = (SUBMISSION.c.taxpayer_id, SUBMISSION.c.unit_id, DOCUMENT.c.profile)


class Band(NamedTuple):
    """Documents of a profile issued after one moment (None: however long ago) and until another, which is `level` hours
    ago."""

    profile: Profile
    level: int
    after: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Crossing:
    """Documents of a unit that have reached a level; `oldest` is the invoice number of the one issued first."""

    taxpayer_id: str
    unit_id: str
    profile: Profile
    level: int
    count: int
    rejected: int
    oldest: str
    issued_at: datetime


class Part(NamedTuple):
    """So many documents of one state and one level. `held_for` says what those wait for that are not sent: a person for
    their unit or certificate, or the acceptance of their original (`original`); empty for all others."""

    status: Status
    held_for: str
    level: int
    documents: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a unit made and the authority does not have, of one profile. `first` and `last` are invoice numbers."""

    taxpayer_id: str
    unit_id: str
    profile: Profile
    parts: tuple[Part, ...]
    first: str
    first_at: datetime
    last: str
    last_at: datetime

    @property
    def count(self) -> int:
        return sum(part.documents for part in self.parts)

    @property
    def level(self) -> int:
        """The highest level that any of them has reached, in hours."""
        return max(part.level for part in self.parts)

    def with_status(self, *wanted: Status) -> int:
        """How many of them stand so."""
        return sum(part.documents for part in self.parts if part.status in wanted)

    @property
    def held(self) -> int:
        """How many of them are not sent at all for now."""
        return sum(part.documents for part in self.parts if part.held_for)

    def from_level(self, level: int) -> int:
        """How many of them have reached this level."""
        return sum(part.documents for part in self.parts if part.level >= level)


class HeldUnit(NamedTuple):
    """A unit whose documents are made and not sent."""

    taxpayer_id: str
    unit_id: str
    since: datetime
    reason: str


class LastAnswer(NamedTuple):
    """How the last exchange about so many open documents ended; `http_status` 0 is no answer."""

    outcome: str
    http_status: int
    documents: int


class Deadlines:
    """Alarms raised and remembered, and what stands open."""

    _database: Database

    def is_alarm_due(self, bands: Sequence[Band]) -> bool:
        """Whether any document has reached a level it was not alarmed for. Writes nothing."""
        with self._database.reading() as connection:
            return connection.execute(select(1).where(_crossed(bands)).limit(1)).first() is not None

    def raise_alarms(self, bands: Sequence[Band], *, now: datetime, actor: str = SYSTEM) -> tuple[Crossing, ...]:
        """Remember the level of every document that has reached another; what those are, by unit and level.

        The audit log of each taxpayer gets an entry for each level and profile.
        """
        with self._database.writing() as connection:
            found = tuple(crossing for band in bands for crossing in _mark(connection, band))
            for (owner, profile, level), crossings in _by_owner(found).items():
                note(
                    connection,
                    taxpayer_id=owner,
                    actor=actor,
                    action="deadline.alarm",
                    target=f"{profile.word} {level} h",
                    now=now,
                    detail=_detail(crossings),
                )
        return found

    def backlog(
        self, bands: Sequence[Band], taxpayer_id: str | None = None, *, since: datetime | None = None
    ) -> tuple[Backlog, ...]:
        """What the authority does not have, of one taxpayer or all, by unit and profile; `since` leaves out what was
        issued before."""
        inner = _open_rows(bands, taxpayer_id, since).subquery()
        key = (inner.c.taxpayer_id, inner.c.unit_id, inner.c.profile)
        parts = (inner.c.status, inner.c.held_for, inner.c.level)
        counted = select(
            *key, *parts, func.count().label("documents"), func.min(inner.c.due_by).label("first"),
            func.max(inner.c.due_by).label("last"),
        ).group_by(*key, *parts).order_by(*key, *parts)  # fmt: skip
        with self._database.reading() as connection:
            rows = connection.execute(counted).all()
            numbers = _ends(connection, _open_rows(bands, taxpayer_id, since).subquery())
        units = groupby(rows, key=lambda row: (row.taxpayer_id, row.unit_id, row.profile))
        return tuple(_backlog(list(of_unit), numbers[unit]) for unit, of_unit in units)

    def reported_late(self, taxpayer_id: str, *, since: datetime, now: datetime) -> int:
        """How many simplified documents issued from `since` on came to the authority after their 24 hours."""
        submission, attempt = SUBMISSION.c, ATTEMPT.c
        wanted = (
            select(func.count())
            .select_from(SUBMISSION)
            .join(
                ATTEMPT,
                and_(attempt.document_uuid == submission.document_uuid, attempt.number == submission.attempts),
            )
            .where(submission.taxpayer_id == taxpayer_id, submission.status == Status.REPORTED.value, _simplified())
            .where(submission.due_by >= since + REPORTING_WINDOW, submission.due_by < now)
            .where(attempt.phase == "ended", attempt.at > submission.due_by)
        )
        with self._database.reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def last_answers(self, taxpayer_id: str) -> tuple[LastAnswer, ...]:
        """How the last exchanges about open documents ended, the most frequent first."""
        submission, attempt, count = SUBMISSION.c, ATTEMPT.c, func.count()
        wanted = (
            select(attempt.outcome, attempt.http_status, count)
            .select_from(SUBMISSION)
            .join(
                ATTEMPT,
                and_(attempt.document_uuid == submission.document_uuid, attempt.number == submission.attempts),
            )
            .where(submission.taxpayer_id == taxpayer_id, _OPEN, attempt.phase == "ended")
            .group_by(attempt.outcome, attempt.http_status)
            .order_by(count.desc(), attempt.outcome)
        )
        with self._database.reading() as connection:
            return tuple(LastAnswer(row[0] or "", row[1] or 0, row[2]) for row in connection.execute(wanted))

    def held_units(self, taxpayer_id: str | None = None) -> tuple[HeldUnit, ...]:
        """The units that send nothing until a person has looked."""
        wanted = select(UNIT.c.taxpayer_id, UNIT.c.id, UNIT.c.held_at, UNIT.c.held_reason).where(
            UNIT.c.held_at.is_not(None)
        )
        if taxpayer_id is not None:
            wanted = wanted.where(UNIT.c.taxpayer_id == taxpayer_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(UNIT.c.taxpayer_id, UNIT.c.id)).all()
        return tuple(HeldUnit(*row) for row in rows)


def _window(profile: Profile) -> timedelta:
    """From issue to `due_by`, which is indexed."""
    return REPORTING_WINDOW if profile is Profile.SIMPLIFIED else timedelta()


def _of(profile: Profile) -> Any:
    document = DOCUMENT.c
    return select(1).where(document.uuid == SUBMISSION.c.document_uuid, document.profile == profile.value).exists()


def _simplified() -> Any:
    return _of(Profile.SIMPLIFIED)


def _in(band: Band) -> Any:
    """Open documents of this age that were not alarmed for it."""
    window, due_by = _window(band.profile), SUBMISSION.c.due_by
    after = () if band.after is None else (due_by > band.after + window,)
    return and_(_OPEN, due_by <= band.until + window, *after, SUBMISSION.c.alarmed < band.level, _of(band.profile))


def _crossed(bands: Iterable[Band]) -> Any:
    return or_(*map(_in, bands))


def _mark(connection: Connection, band: Band) -> list[Crossing]:
    """One statement chooses and marks, so that of two who do this at once only one gets a document."""
    submission = SUBMISSION.c
    marked = connection.execute(
        update(SUBMISSION)
        .where(_in(band))
        .values(alarmed=band.level)
        .returning(
            submission.taxpayer_id, submission.unit_id, submission.status, submission.due_by, submission.document_uuid
        )
    ).all()
    units = defaultdict(list)
    for row in marked:
        units[row.taxpayer_id, row.unit_id].append(row)
    return [_crossing(connection, band, rows) for _, rows in sorted(units.items())]


def _crossing(connection: Connection, band: Band, rows: Sequence[Row[Any]]) -> Crossing:
    oldest = min(rows, key=lambda row: row.due_by)
    number = select(DOCUMENT.c.number).where(DOCUMENT.c.uuid == oldest.document_uuid)
    return Crossing(
        taxpayer_id=oldest.taxpayer_id,
        unit_id=oldest.unit_id,
        profile=band.profile,
        level=band.level,
        count=len(rows),
        rejected=sum(row.status == Status.REJECTED.value for row in rows),
        oldest=connection.execute(number).scalar_one(),
        issued_at=oldest.due_by - _window(band.profile),
    )


def _by_owner(found: Iterable[Crossing]) -> Mapping[tuple[str, Profile, int], list[Crossing]]:
    owners = defaultdict(list)
    for each in found:
        owners[each.taxpayer_id, each.profile, each.level].append(each)
    return owners


def _detail(crossings: Sequence[Crossing]) -> dict[str, Any]:
    oldest = min(crossings, key=lambda each: each.issued_at)
    return {
        "hours": oldest.level,
        "profile": oldest.profile.word,
        "documents": sum(each.count for each in crossings),
        "units": {each.unit_id: each.count for each in crossings},
        "oldest": oldest.oldest,
        "issued_at": iso(oldest.issued_at),
    }


def _open_rows(bands: Sequence[Band], taxpayer_id: str | None, since: datetime | None) -> Any:
    document, submission = DOCUMENT.c, SUBMISSION.c
    reached = [
        (and_(document.profile == band.profile.value, submission.due_by <= band.until + _window(band.profile)), band)
        for band in sorted(bands, key=lambda band: -band.level)
    ]
    wanted = (
        select(
            *_OF_ONE, submission.status, submission.held_for, submission.due_by, document.number, document.icv,
            case(*((condition, band.level) for condition, band in reached), else_=0).label("level"),
        )
        .join_from(SUBMISSION, DOCUMENT, document.uuid == submission.document_uuid)
        .where(_OPEN)
    )  # fmt: skip
    if taxpayer_id is not None:
        wanted = wanted.where(submission.taxpayer_id == taxpayer_id)
    return wanted if since is None else wanted.where(document.issued_at >= since)


def _backlog(rows: Sequence[Row[Any]], ends: tuple[str, str]) -> Backlog:
    one, profile = rows[0], Profile(rows[0].profile)
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    return Backlog(
        taxpayer_id=one.taxpayer_id,
        unit_id=one.unit_id,
        profile=profile,
        parts=tuple(Part(Status(row.status), row.held_for, row.level, row.documents) for row in rows),
        first=ends[0],
        first_at=first - _window(profile),
        last=ends[1],
        last_at=last - _window(profile),
    )


def _ends(connection: Connection, inner: Subquery) -> Mapping[tuple[str, str, str], tuple[str, str]]:
    """The first and the last invoice number of each unit and profile, by when they are due and then by their counter.
    One statement for all units: there may be thousands."""
    key = (inner.c.taxpayer_id, inner.c.unit_id, inner.c.profile)
    place = (inner.c.due_by, inner.c.icv)
    ranked = select(
        *key,
        inner.c.number,
        func.row_number().over(partition_by=key, order_by=place).label("first"),
        func.row_number().over(partition_by=key, order_by=[column.desc() for column in place]).label("last"),
    ).subquery()
    wanted = select(ranked).where(or_(ranked.c.first == 1, ranked.c.last == 1)).order_by(ranked.c.first)
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for row in connection.execute(wanted):
        unit = (row.taxpayer_id, row.unit_id, row.profile)
        found[unit] = (found.get(unit, (row.number,))[0], row.number)
    return found
