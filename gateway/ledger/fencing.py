"""The fence: a chain that goes less far than the head journal says, or elsewhere, makes no document.

It is raised when the ledger is opened, whatever way an old state got there, and by a restore until it is reconciled.
A fenced chain stays as it is; onboarding its unit anew opens another. Numbers that lost documents had are skipped.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from gateway.errors import Unavailable
from gateway.ledger.database import Database
from gateway.ledger.journal import Head, Journal, head
from gateway.ledger.tables import CHAIN, DOCUMENT, MARK, UNIT

_MARK: Final = "fence:"


class Fenced(NamedTuple):
    """A chain that makes no document: how far it goes here, and what the journal has of it; None: nothing at all."""

    chain: str
    taxpayer_id: str
    unit_id: str
    icv: int
    journal: Head | None


class Fencing:
    """The head journal and the fence."""

    _database: Database
    _journal: Journal | None = None
    _fenced: frozenset[str] = frozenset()

    def keep_journal(self, path: Path) -> None:
        """From now on acknowledge no document that is not in this journal; fence what it has and the ledger has not."""
        self._journal = Journal(path)
        self._compare()

    def journal_health(self) -> str:
        """ "ok" if all that has to be in the head journal is, else why not; what waits is tried again."""
        try:
            self._settle()
        except Unavailable as error:
            return str(error)
        return "ok"

    def fenced(self) -> tuple[Fenced, ...]:
        """The chains that make no documents now."""
        heads = self._journal.heads() if self._journal else {}
        with self._database.reading() as connection:
            chains = connection.execute(select(CHAIN).where(CHAIN.c.id.in_(_marked(connection)))).all()
        return tuple(Fenced(row.id, row.taxpayer_id, row.unit_id, row.head_icv, heads.get(row.id)) for row in chains)

    def fence_all(self) -> None:
        """Fence every chain: what was just restored is not known to be the newest."""
        with self._database.writing() as connection:
            for chain in connection.execute(select(CHAIN.c.id)).scalars().all():
                _put(connection, chain, lost=0)
            self._fenced = _marked(connection)

    def reconcile(self) -> tuple[Fenced, ...]:
        """Lower the fence of every chain whose last document is the last of the journal; the chains still fenced."""
        heads = self._journal.heads() if self._journal else {}
        with self._database.writing() as connection:
            for row in connection.execute(select(CHAIN).where(CHAIN.c.id.in_(_marked(connection)))).all():
                known = heads.get(row.id)
                agrees = known is not None and (known.icv, known.hash) == (row.head_icv, row.head_hash)
                if agrees or (known is None and row.head_icv == 0 and heads):
                    connection.execute(delete(MARK).where(MARK.c.name == _MARK + row.id))
                elif known is not None:
                    _put(connection, row.id, lost=max(known.icv - row.head_icv, 0))
            self._fenced = _marked(connection)
        return self.fenced()

    def _compare(self) -> None:
        """Raise the fence where the journal is ahead, and let the journal catch up where it is behind."""
        assert self._journal is not None, "a journal is kept"
        heads = self._journal.heads()  # first: the ledger, which is written first, is then never the older one
        with self._database.reading() as connection:
            chains = connection.execute(select(CHAIN).where(CHAIN.c.head_icv >= 0)).all()
            fenced = _marked(connection)
            strays = [row for row in chains if (known := heads.get(row.id)) and not _holds(connection, known)]
        if any(row.id not in fenced for row in strays):
            with self._database.writing() as connection:
                for row in strays:
                    _put(connection, row.id, lost=max(heads[row.id].icv - row.head_icv, 0))
                fenced = _marked(connection)
        self._fenced = fenced
        behind = [
            row for row in chains if row.head_icv and row.id not in fenced and _is_behind(heads, row.id, row.head_icv)
        ]
        if behind:
            self._journal.record(*(head(row.id, row.head_icv, row.head_hash, row.head_at) for row in behind))

    def _admit(self, chain: str) -> None:
        """Unavailable if a chain may make no document."""
        if chain in self._fenced:
            raise Unavailable(
                f"This ledger was restored from a backup that is older than chain {chain} is: its counters may be used"
                " already.",
                retry_after=3600,
                fix="`gateway restore --reconcile` says what is missing; onboard the unit anew: `gateway onboard`.",
                ar="استُعيد هذا السجل من نسخة احتياطية أقدم من سلسلة المستندات، فلا يُصدر أي مستند حتى تُطابق"
                " السجلات أو تُسجَّل الوحدة من جديد.",
            )

    def _settle(self) -> None:
        """Nothing is answered while a document of before is in no journal."""
        if self._journal:
            self._journal.settle()

    def _journalled(self, heads: Iterable[tuple[str, int, str, datetime]]) -> None:
        """These are committed: they may be answered once this returns."""
        written = [head(*each) for each in heads]
        if self._journal and written:
            self._journal.record(*written)


def _is_behind(heads: dict[str, Head], chain: str, icv: int) -> bool:
    return chain not in heads or heads[chain].icv < icv


def _holds(connection: Connection, known: Head) -> bool:
    """Whether the ledger has the document that the journal ends with."""
    at = (DOCUMENT.c.chain_id == known.chain, DOCUMENT.c.icv == known.icv)
    return connection.execute(select(DOCUMENT.c.hash).where(*at)).scalar() == known.hash


def _marked(connection: Connection) -> frozenset[str]:
    names = connection.execute(select(MARK.c.name).where(MARK.c.name.startswith(_MARK, autoescape=True))).scalars()
    return frozenset(name.removeprefix(_MARK) for name in names)


def _put(connection: Connection, chain: str, *, lost: int) -> None:
    """Fence a chain. As many numbers of its unit as documents were lost are never drawn again; once, however often."""
    name = _MARK + chain
    stands = connection.execute(select(MARK.c.value).where(MARK.c.name == name)).scalar()
    before = int(json.loads(stands)["lost"]) if stands else 0
    value = json.dumps({"lost": max(lost, before)})
    if stands is None:
        connection.execute(insert(MARK), {"name": name, "value": value})
    else:
        connection.execute(update(MARK).where(MARK.c.name == name).values(value=value))
    if lost > before:
        unit = select(CHAIN.c.taxpayer_id, CHAIN.c.unit_id).where(CHAIN.c.id == chain)
        owner, unit_id = connection.execute(unit).one()
        of_unit = (UNIT.c.taxpayer_id == owner, UNIT.c.id == unit_id)
        connection.execute(update(UNIT).where(*of_unit).values(next_number=UNIT.c.next_number + (lost - before)))
