"""Who issues: taxpayers, their units and connections, and the units' certificates with their chains."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, Table, insert, select, update

from gateway.chain import FIRST_PIH, Link
from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Unavailable, Unknown
from gateway.invoice.facts import Address, Identifier, Party
from gateway.issued import Status
from gateway.ledger.audit import note
from gateway.ledger.database import Database
from gateway.ledger.rows import Chain, CsidRecord, NewCsid, Stage, Taxpayer
from gateway.ledger.tables import CHAIN, CONNECTION, CSID, SUBMISSION, TAXPAYER, UNIT
from gateway.unit import Environment, Unit

# A key's reference is taxpayer/unit: a slash within either could make two units share one key.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONNECTION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,99}")


class Registry:
    """Adding, changing and finding those who issue. Every change leaves an entry in the audit log."""

    _database: Database

    def add_taxpayer(self, taxpayer: Taxpayer, *, actor: str, now: datetime) -> None:
        """BadInput if the id is unusable, Conflict if it is taken."""
        _usable(taxpayer.id, _ID)
        with self._database.writing() as transaction:
            _free(transaction, TAXPAYER, f"Taxpayer {taxpayer.id}", id=taxpayer.id)
            transaction.execute(insert(TAXPAYER), {**asdict(taxpayer), "created_at": now})
            self._note(transaction, taxpayer.id, actor, "taxpayer.added", taxpayer.id, now, vat=taxpayer.vat)

    def taxpayer(self, id: str) -> Taxpayer:  # noqa: A002
        """Unknown if there is none of this id."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(TAXPAYER).where(TAXPAYER.c.id == id)).first()
        if row is None:
            raise Unknown(f"There is no taxpayer {id}.")
        return Taxpayer(row.id, row.name, row.vat)

    def taxpayers(self) -> tuple[Taxpayer, ...]:
        """All of this installation, by id."""
        with self._database.reading() as transaction:
            rows = transaction.execute(select(TAXPAYER).order_by(TAXPAYER.c.id)).all()
        return tuple(Taxpayer(row.id, row.name, row.vat) for row in rows)

    def add_unit(self, unit: Unit, *, actor: str, now: datetime) -> None:
        """Conflict if its id or number prefix is taken within the taxpayer, Unknown if there is no such taxpayer."""
        _usable(unit.id, _ID)
        with self._database.writing() as transaction:
            _known(transaction, TAXPAYER, f"taxpayer {unit.taxpayer_id}", id=unit.taxpayer_id)
            _free(transaction, UNIT, f"Unit {unit.id}", taxpayer_id=unit.taxpayer_id, id=unit.id)
            _free_prefix(transaction, unit)
            state = {"next_number": 1, "held_at": None, "held_reason": "", "created_at": now}
            transaction.execute(insert(UNIT), {**_unit_values(unit), **state})
            self._note(transaction, unit.taxpayer_id, actor, "unit.added", unit.id, now, serial=unit.serial)

    def change_unit(self, unit: Unit, *, actor: str, now: datetime) -> None:
        """Put what the unit says from now on, such as a new address, in place of what it said."""
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {unit.id}", taxpayer_id=unit.taxpayer_id, id=unit.id)
            _free_prefix(transaction, unit)
            values = _unit_values(unit)
            transaction.execute(update(UNIT).where(*_is(unit)).values(**values))
            self._note(transaction, unit.taxpayer_id, actor, "unit.changed", unit.id, now, seller=values["seller"])

    def unit(self, *, taxpayer: str, unit: str) -> Unit:
        """Unknown if the taxpayer has no such unit."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(UNIT).where(UNIT.c.taxpayer_id == taxpayer, UNIT.c.id == unit)).first()
        if row is None:
            raise Unknown(f"There is no unit {unit}.", fix="`gateway units` lists them.")
        return _unit(row)

    def units(self, taxpayer: str | None = None) -> tuple[Unit, ...]:
        """A taxpayer's units, or all of the installation."""
        wanted = select(UNIT).order_by(UNIT.c.taxpayer_id, UNIT.c.id)
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted.where(UNIT.c.taxpayer_id == taxpayer) if taxpayer else wanted).all()
        return tuple(_unit(row) for row in rows)

    def hold_unit(self, unit: Unit, *, reason: str, actor: str, now: datetime) -> None:
        """Isolate a unit: its documents are still made, none is sent until `release_unit`."""
        with self._database.writing() as transaction:
            transaction.execute(update(UNIT).where(*_is(unit)).values(held_at=now, held_reason=reason))
            transaction.execute(
                update(SUBMISSION)
                .where(*_of(unit, SUBMISSION), SUBMISSION.c.status == Status.ISSUED.value)
                .values(status=Status.HELD.value, held_for="unit")
            )
            self._note(transaction, unit.taxpayer_id, actor, "unit.held", unit.id, now, reason=reason)

    def release_unit(self, unit: Unit, *, actor: str, now: datetime) -> None:
        """Send the unit's documents again, but for notes that wait for their original."""
        with self._database.writing() as transaction:
            transaction.execute(update(UNIT).where(*_is(unit)).values(held_at=None, held_reason=""))
            transaction.execute(
                update(SUBMISSION)
                .where(*_of(unit, SUBMISSION), SUBMISSION.c.held_for == "unit")
                .values(status=Status.ISSUED.value, held_for="", next_at=now)
            )
            self._note(transaction, unit.taxpayer_id, actor, "unit.released", unit.id, now)

    def held(self, unit: Unit) -> str | None:
        """Why the unit is isolated; None if it is not."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(UNIT.c.held_at, UNIT.c.held_reason).where(*_is(unit))).first()
        return str(row.held_reason) if row and row.held_at else None

    def add_connection(self, connection: Connection, *, actor: str, now: datetime) -> None:
        """Its secrets are not kept here. Ids are unique in the installation: a webhook's address names nothing else."""
        _usable(connection.id, _CONNECTION_ID)
        with self._database.writing() as transaction:
            owner, unit = connection.taxpayer_id, connection.unit_id
            _known(transaction, UNIT, f"unit {unit}", taxpayer_id=owner, id=unit)
            _free(transaction, CONNECTION, f"Connection {connection.id}", id=connection.id)
            transaction.execute(insert(CONNECTION), {**_connection_values(connection), "created_at": now})
            self._note(transaction, owner, actor, "connection.added", connection.id, now, platform=connection.platform)

    def change_connection(self, connection: Connection, *, actor: str, now: datetime) -> None:
        """Put these settings in place of the former ones."""
        owner = connection.taxpayer_id
        with self._database.writing() as transaction:
            name = f"connection {connection.id}"
            _known(transaction, CONNECTION, name, taxpayer_id=owner, id=connection.id)
            _known(transaction, UNIT, f"unit {connection.unit_id}", taxpayer_id=owner, id=connection.unit_id)
            values = _connection_values(connection)
            transaction.execute(update(CONNECTION).where(CONNECTION.c.id == connection.id).values(**values))
            self._note(transaction, owner, actor, "connection.changed", connection.id, now, base_url=connection.base_url)

    def connection(self, id: str, *, taxpayer: str | None = None) -> Connection:  # noqa: A002
        """Without its secrets; Unknown if there is none, or it belongs to another taxpayer than the given one."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(CONNECTION).where(CONNECTION.c.id == id)).first()
        if row is None or taxpayer not in (None, row.taxpayer_id):
            raise Unknown(f"There is no connection {id}.")
        return _connection(row)

    def connections(self, taxpayer: str | None = None) -> tuple[Connection, ...]:
        """A taxpayer's connections, or all of the installation, without secrets."""
        wanted = select(CONNECTION).order_by(CONNECTION.c.id)
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted.where(CONNECTION.c.taxpayer_id == taxpayer) if taxpayer else wanted).all()
        return tuple(_connection(row) for row in rows)

    def add_csid(self, unit: Unit, csid: NewCsid, *, actor: str, now: datetime) -> CsidRecord:
        """Put a certificate in use. A production one opens its chain and retires the one before, sealing its chain."""
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {unit.id}", taxpayer_id=unit.taxpayer_id, id=unit.id)
            _retire(transaction, unit, csid.stage, now)
            owner = {"taxpayer_id": unit.taxpayer_id, "unit_id": unit.id}
            values = {**asdict(csid), **owner, "stage": csid.stage.value, "created_at": now, "retired_at": None}
            [key] = transaction.execute(insert(CSID), values).inserted_primary_key or (0,)
            if csid.stage is Stage.PRODUCTION:
                start = {"head_icv": 0, "head_hash": FIRST_PIH, "head_at": now, "sealed_at": None}
                transaction.execute(insert(CHAIN), {"csid_id": key, **owner, **start})
            self._note(transaction, unit.taxpayer_id, actor, "csid.added", unit.id, now, csid=key, stage=csid.stage.value)
            return csid_record(transaction.execute(select(CSID).where(CSID.c.id == key)).one())

    def current_csid(self, unit: Unit, stage: Stage = Stage.PRODUCTION) -> CsidRecord:
        """The certificate in use; Unavailable if the unit has none of this stage."""
        wanted = select(CSID).where(*_of(unit, CSID), CSID.c.stage == stage.value, CSID.c.retired_at.is_(None))
        with self._database.reading() as transaction:
            row = transaction.execute(wanted).first()
        if row is None:
            raise not_onboarded(unit)
        return csid_record(row)

    def csid(self, id: int) -> CsidRecord:  # noqa: A002
        """Any certificate on record, retired ones included."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(CSID).where(CSID.c.id == id)).first()
        if row is None:
            raise Unknown(f"There is no CSID {id}.")
        return csid_record(row)

    def chains(self, unit: Unit) -> tuple[Chain, ...]:
        """The unit's chains, oldest first; only the last can be open."""
        with self._database.reading() as transaction:
            rows = transaction.execute(select(CHAIN).where(*_of(unit, CHAIN)).order_by(CHAIN.c.csid_id)).all()
        return tuple(Chain(row.csid_id, Link(row.head_icv + 1, row.head_hash), row.sealed_at) for row in rows)

    def _note(
        self, transaction: Transaction, taxpayer: str, actor: str, action: str, what: str, now: datetime, **detail: Any
    ) -> None:
        note(
            self._database, transaction, taxpayer=taxpayer, actor=actor, action=action, object=what, now=now, **detail
        )


def not_onboarded(unit: Unit) -> Unavailable:
    """What to say of a unit without a certificate to issue with."""
    return Unavailable(
        f"Unit {unit.id} has no certificate in use.",
        retry_after=3600,
        fix="Onboard it first: `gateway onboard`.",
        ar="لا توجد شهادة سارية لوحدة الإصدار. سجّل الوحدة لدى الهيئة أولاً.",
    )


def csid_record(row: Row[Any]) -> CsidRecord:
    """A CSID from a row that has all its columns."""
    return CsidRecord(
        stage=Stage(row.stage),
        request_id=row.request_id,
        token=row.token,
        certificate=row.certificate,
        not_before=row.not_before,
        not_after=row.not_after,
        id=row.id,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        retired_at=row.retired_at,
    )


def _retire(transaction: Transaction, unit: Unit, stage: Stage, now: datetime) -> None:
    in_use = (*_of(unit, CSID), CSID.c.stage == stage.value, CSID.c.retired_at.is_(None))
    transaction.execute(update(CSID).where(*in_use).values(retired_at=now))
    if stage is Stage.PRODUCTION:
        open_chain = (*_of(unit, CHAIN), CHAIN.c.sealed_at.is_(None))
        transaction.execute(update(CHAIN).where(*open_chain).values(sealed_at=now))


def _is(unit: Unit) -> tuple[Any, ...]:
    return UNIT.c.taxpayer_id == unit.taxpayer_id, UNIT.c.id == unit.id


def _of(unit: Unit, table: Table) -> tuple[Any, ...]:
    return table.c.taxpayer_id == unit.taxpayer_id, table.c.unit_id == unit.id


def _usable(id_: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(id_):
        raise BadInput(f"{id_!r} cannot be an id.", fix="Use letters, digits, dots, dashes and underscores.")


def _exists(transaction: Transaction, table: Table, key: Mapping[str, str]) -> bool:
    wanted = select(1).select_from(table).where(*(table.c[column] == value for column, value in key.items()))
    return transaction.execute(wanted).first() is not None


def _free(transaction: Transaction, table: Table, name: str, **key: str) -> None:
    if _exists(transaction, table, key):
        raise Conflict(f"{name} exists already.", fix="Choose another id.")


def _known(transaction: Transaction, table: Table, name: str, **key: str) -> None:
    if not _exists(transaction, table, key):
        raise Unknown(f"There is no {name}.")


def _free_prefix(transaction: Transaction, unit: Unit) -> None:
    taken = select(UNIT.c.id).where(
        UNIT.c.taxpayer_id == unit.taxpayer_id, UNIT.c.number_prefix == unit.number_prefix, UNIT.c.id != unit.id
    )
    if other := transaction.execute(taken).scalar():
        raise Conflict(
            f"The number prefix {unit.number_prefix!r} belongs to unit {other}.",
            fix="Give each unit of a taxpayer its own prefix: invoice numbers must not repeat.",
        )


def _unit_values(unit: Unit) -> dict[str, Any]:
    return {**asdict(unit), "environment": unit.environment.value}


def _unit(row: Row[Any]) -> Unit:
    return Unit(
        id=row.id,
        taxpayer_id=row.taxpayer_id,
        seller=_party(row.seller),
        common_name=row.common_name,
        serial=row.serial,
        branch=row.branch,
        industry=row.industry,
        location=row.location,
        number_prefix=row.number_prefix,
        invoice_types=row.invoice_types,
        environment=Environment(row.environment),
    )


def _party(value: Mapping[str, Any]) -> Party:
    identifier, address = value["id"], value["address"]
    return Party(
        name=value["name"],
        vat=value["vat"],
        id=Identifier(**identifier) if identifier else None,
        address=Address(**address) if address else None,
    )


def _connection_values(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "taxpayer_id": connection.taxpayer_id,
        "unit_id": connection.unit_id,
        "platform": connection.platform,
        "base_url": connection.base_url,
        "settings": dict(connection.settings),
        "cutover": connection.cutover,
    }


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        id=row.id,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        platform=row.platform,
        base_url=row.base_url,
        settings=MappingProxyType(row.settings),
        cutover=row.cutover,
    )
