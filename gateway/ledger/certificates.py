"""The units' certificates (CSID) and the chain each production one opens."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, insert, select, update

from gateway.chain import FIRST_PIH, Link, Linked
from gateway.errors import Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.rows import Chain, CsidRecord, NewCsid
from gateway.ledger.tables import CHAIN, CSID, DOCUMENT

_BATCH: Final = 1000


class Certificates:
    """Putting certificates in use, and walking their chains."""

    _database: Database

    def add_csid(self, csid: NewCsid, *, now: datetime, actor: str = SYSTEM, continues: bool = False) -> None:
        """Put a certificate in use and retire the one of its stage before.

        A production certificate opens its chain, from 1, and the chain before is sealed; one that `continues` serves
        the unit's open chain instead, where there is one.
        """
        with self._database.writing() as connection:
            insert_csid(self._database, connection, csid, now=now, actor=actor, continues=continues)

    def current_csid(self, taxpayer_id: str, unit_id: str) -> CsidRecord | None:
        """The production certificate in use; None if the unit is not onboarded."""
        of_unit = _of(CSID, taxpayer_id, unit_id)
        wanted = select(CSID).where(*of_unit, CSID.c.stage == "production", CSID.c.retired_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        return csid_record(row) if row else None

    def csid(self, csid_id: str) -> CsidRecord:
        """Any certificate on record, retired ones included."""
        with self._database.reading() as connection:
            row = connection.execute(select(CSID).where(CSID.c.id == csid_id)).first()
        if row is None:
            raise Unknown(f"There is no CSID {csid_id}.")
        return csid_record(row)

    def chain(self, taxpayer_id: str, unit_id: str) -> Chain:
        """The unit's open chain; Unknown if it has none."""
        for chain in self.chains(taxpayer_id, unit_id):
            if chain.sealed_at is None:
                return chain
        raise Unknown(f"Unit {unit_id} has no open chain.", fix="Onboard it: `gateway onboard`.")

    def chains(self, taxpayer_id: str, unit_id: str) -> tuple[Chain, ...]:
        """The unit's chains, oldest first; only the last can be open."""
        wanted = (
            select(CHAIN)
            .join(CSID, CSID.c.id == CHAIN.c.id)
            .where(*_of(CHAIN, taxpayer_id, unit_id))
            .order_by(CSID.c.created_at)
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return tuple(Chain(row.id, Link(row.head_icv + 1, row.head_hash), row.sealed_at) for row in rows)

    def chain_links(self, taxpayer_id: str, chain_id: str) -> Iterator[Linked]:
        """One chain's documents in counter order, for the walk; nothing if the taxpayer has no such chain."""
        document = DOCUMENT.c
        after = 0
        while True:
            wanted = (
                select(document.icv, document.pih, document.hash)
                .where(document.chain_id == chain_id, document.taxpayer_id == taxpayer_id, document.icv > after)
                .order_by(document.icv)
                .limit(_BATCH)
            )
            with self._database.reading() as connection:
                rows = connection.execute(wanted).all()
            yield from (Linked(Link(row.icv, row.pih), row.hash) for row in rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1].icv


def insert_csid(
    database: Database,
    connection: Connection,
    csid: NewCsid,
    *,
    now: datetime,
    actor: str = SYSTEM,
    continues: bool = False,
) -> None:
    """What `Certificates.add_csid` does, within a transaction."""
    _retire(connection, csid, now)
    chain_id = _chain_for(connection, csid, now, continues=continues) if csid.stage == "production" else None
    state = {"created_at": now, "retired_at": None, "revoked_at": None, "chain_id": chain_id}
    connection.execute(insert(CSID), {**asdict(csid), **state})
    if chain_id == csid.id:
        connection.execute(insert(CHAIN), _new_chain(csid, now))
    note(
        connection,
        taxpayer_id=csid.taxpayer_id,
        actor=actor,
        action="csid.added",
        target=csid.id,
        now=now,
        detail={"unit": csid.unit_id, "stage": csid.stage, "not_after": csid.not_after.isoformat()},
    )


def csid_record(row: Row[Any]) -> CsidRecord:
    """A CSID from a row that has all its columns."""
    return CsidRecord(
        id=row.id,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        stage=row.stage,
        request_id=row.request_id,
        token=row.token,
        certificate=row.certificate,
        not_before=row.not_before,
        not_after=row.not_after,
        retired_at=row.retired_at,
        chain_id=row.chain_id,
        revoked_at=row.revoked_at,
    )


def _retire(connection: Connection, successor: NewCsid, now: datetime) -> None:
    in_use = (*_of(CSID, successor.taxpayer_id, successor.unit_id), CSID.c.retired_at.is_(None))
    connection.execute(update(CSID).where(*in_use, CSID.c.stage == successor.stage).values(retired_at=now))


def _chain_for(connection: Connection, csid: NewCsid, now: datetime, *, continues: bool) -> str:
    """The chain a production certificate serves: the unit's open one, or one of its own, which seals the one before."""
    opened = (*_of(CHAIN, csid.taxpayer_id, csid.unit_id), CHAIN.c.sealed_at.is_(None))
    standing = connection.execute(select(CHAIN.c.id).where(*opened)).scalar()
    if continues and standing:
        return str(standing)
    connection.execute(update(CHAIN).where(*opened).values(sealed_at=now))
    return csid.id


def _new_chain(csid: NewCsid, now: datetime) -> dict[str, Any]:
    owner = {"taxpayer_id": csid.taxpayer_id, "unit_id": csid.unit_id}
    return {"id": csid.id, **owner, "head_icv": 0, "head_hash": FIRST_PIH, "head_at": now, "sealed_at": None}


def _of(table: Table, taxpayer_id: str, unit_id: str) -> tuple[Any, ...]:
    return table.c.taxpayer_id == taxpayer_id, table.c.unit_id == unit_id
