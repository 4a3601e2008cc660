"""Who issues: taxpayers, their units and connections. Every change leaves an entry in the audit log."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, Table, insert, select, update

from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Unknown
from gateway.invoice.facts import Address, Identifier, Party
from gateway.issued import Status
from gateway.ledger import statements
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.rows import Taxpayer
from gateway.ledger.tables import CONNECTION, SUBMISSION, TAXPAYER, UNIT
from gateway.unit import Environment, Unit

# A key's reference is taxpayer/unit: a slash within either could make two units share one key.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONNECTION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,99}")


class Registry:
    """Adding, changing and finding those who issue."""

    _database: Database

    def add_taxpayer(self, taxpayer: Taxpayer, *, now: datetime, actor: str = SYSTEM) -> None:
        """BadInput if the id is unusable, Conflict if it is taken."""
        _usable(taxpayer.id, _ID)
        with self._database.writing() as transaction:
            _free(transaction, TAXPAYER, f"Taxpayer {taxpayer.id}", id=taxpayer.id)
            transaction.execute(insert(TAXPAYER), {**asdict(taxpayer), "created_at": now})
            self._noted(transaction, taxpayer.id, actor, "taxpayer.added", taxpayer.id, now, {"vat": taxpayer.vat})

    def taxpayer(self, taxpayer_id: str) -> Taxpayer:
        """Unknown if there is none of this id."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(TAXPAYER).where(TAXPAYER.c.id == taxpayer_id)).first()
        if row is None:
            raise Unknown(f"There is no taxpayer {taxpayer_id}.")
        return Taxpayer(row.id, row.name, row.vat)

    def taxpayers(self) -> tuple[Taxpayer, ...]:
        """All of this installation, by id."""
        with self._database.reading() as transaction:
            rows = transaction.execute(select(TAXPAYER).order_by(TAXPAYER.c.id)).all()
        return tuple(Taxpayer(row.id, row.name, row.vat) for row in rows)

    def add_unit(self, unit: Unit, *, now: datetime, actor: str = SYSTEM) -> None:
        """Conflict if its id or number prefix is taken within the taxpayer, Unknown if there is no such taxpayer."""
        _usable(unit.id, _ID)
        with self._database.writing() as transaction:
            _known(transaction, TAXPAYER, f"taxpayer {unit.taxpayer_id}", id=unit.taxpayer_id)
            _free(transaction, UNIT, f"Unit {unit.id}", taxpayer_id=unit.taxpayer_id, id=unit.id)
            _free_prefix(transaction, unit)
            state = {"next_number": 1, "held_at": None, "held_reason": "", "created_at": now}
            transaction.execute(insert(UNIT), {**_unit_values(unit), **state})
            self._noted(transaction, unit.taxpayer_id, actor, "unit.added", unit.id, now, {"serial": unit.serial})

    def change_unit(self, unit: Unit, *, now: datetime, actor: str = SYSTEM) -> None:
        """Put what the unit says from now on, such as a new address, in place of what it said."""
        values = _unit_values(unit)
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {unit.id}", taxpayer_id=unit.taxpayer_id, id=unit.id)
            _free_prefix(transaction, unit)
            transaction.execute(update(UNIT).where(*_is(unit.taxpayer_id, unit.id)).values(**values))
            self._noted(transaction, unit.taxpayer_id, actor, "unit.changed", unit.id, now, values)

    def unit(self, taxpayer_id: str, unit_id: str) -> Unit:
        """Unknown if the taxpayer has no such unit."""
        row = statements.UNIT.find(self._database.look, taxpayer_id, unit_id)
        if row is None:
            raise Unknown(f"There is no unit {unit_id}.", fix="`gateway units` lists them.")
        return _unit(row)

    def units(self, taxpayer_id: str | None = None) -> tuple[Unit, ...]:
        """A taxpayer's units, or all of the installation."""
        wanted = select(UNIT).order_by(UNIT.c.taxpayer_id, UNIT.c.id)
        if taxpayer_id is not None:
            wanted = wanted.where(UNIT.c.taxpayer_id == taxpayer_id)
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted).all()
        return tuple(_unit(row) for row in rows)

    def hold_unit(self, taxpayer_id: str, unit_id: str, *, reason: str, now: datetime, actor: str = SYSTEM) -> None:
        """Isolate a unit: its documents are still made, none is sent until `release_unit`."""
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {unit_id}", taxpayer_id=taxpayer_id, id=unit_id)
            here = _is(taxpayer_id, unit_id)
            transaction.execute(update(UNIT).where(*here).values(held_at=now, held_reason=reason))
            transaction.execute(
                update(SUBMISSION)
                .where(*_sent_by(taxpayer_id, unit_id), SUBMISSION.c.status == Status.ISSUED.value)
                .values(status=Status.HELD.value, held_for="unit")
            )
            self._noted(transaction, taxpayer_id, actor, "unit.held", unit_id, now, {"reason": reason})

    def release_unit(self, taxpayer_id: str, unit_id: str, *, now: datetime, actor: str = SYSTEM) -> None:
        """Send the unit's documents again, but for notes that wait for their original."""
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {unit_id}", taxpayer_id=taxpayer_id, id=unit_id)
            here = _is(taxpayer_id, unit_id)
            transaction.execute(update(UNIT).where(*here).values(held_at=None, held_reason=""))
            waiting = (*_sent_by(taxpayer_id, unit_id), SUBMISSION.c.held_for.in_(("unit", "csid")))
            held = update(SUBMISSION).where(*waiting, SUBMISSION.c.status == Status.HELD.value)
            transaction.execute(held.values(status=Status.ISSUED.value))
            transaction.execute(update(SUBMISSION).where(*waiting).values(held_for="", next_at=now))
            self._noted(transaction, taxpayer_id, actor, "unit.released", unit_id, now, {})

    def held(self, taxpayer_id: str, unit_id: str) -> str | None:
        """Why the unit is isolated; None if it is not."""
        wanted = select(UNIT.c.held_at, UNIT.c.held_reason).where(*_is(taxpayer_id, unit_id))
        with self._database.reading() as transaction:
            row = transaction.execute(wanted).first()
        return str(row.held_reason) if row and row.held_at else None

    def holds_back(self, taxpayer_id: str, unit_id: str) -> bool:
        """Whether `release_unit` would let anything go: the unit is isolated, or what an older certificate stamped."""
        stamped = (*_sent_by(taxpayer_id, unit_id), SUBMISSION.c.held_for == "csid")
        with self._database.reading() as transaction:
            waits = transaction.execute(select(1).where(*stamped).limit(1)).first() is not None
        return waits or self.held(taxpayer_id, unit_id) is not None

    def add_connection(self, connection: Connection, *, now: datetime, actor: str = SYSTEM) -> None:
        """Its secrets are not kept here. Ids are unique in the installation: a webhook's address names nothing else."""
        _usable(connection.id, _CONNECTION_ID)
        owner, platform = connection.taxpayer_id, connection.platform
        with self._database.writing() as transaction:
            _known(transaction, UNIT, f"unit {connection.unit_id}", taxpayer_id=owner, id=connection.unit_id)
            _free(transaction, CONNECTION, f"Connection {connection.id}", id=connection.id)
            transaction.execute(insert(CONNECTION), {**_connection_values(connection), "created_at": now})
            self._noted(transaction, owner, actor, "connection.added", connection.id, now, {"platform": platform})

    def change_connection(self, connection: Connection, *, now: datetime, actor: str = SYSTEM) -> None:
        """Put these settings in place of the former ones."""
        owner, values = connection.taxpayer_id, _connection_values(connection)
        here = (CONNECTION.c.taxpayer_id == owner, CONNECTION.c.id == connection.id)
        with self._database.writing() as transaction:
            _known(transaction, CONNECTION, f"connection {connection.id}", taxpayer_id=owner, id=connection.id)
            _known(transaction, UNIT, f"unit {connection.unit_id}", taxpayer_id=owner, id=connection.unit_id)
            transaction.execute(update(CONNECTION).where(*here).values(**values))
            detail = {"base_url": connection.base_url, "unit": connection.unit_id}
            self._noted(transaction, owner, actor, "connection.changed", connection.id, now, detail)

    def connection(self, taxpayer_id: str, connection_id: str) -> Connection:
        """Without its secrets; Unknown if the taxpayer has none of this id."""
        found = self.any_connection(connection_id)
        if found is None or found.taxpayer_id != taxpayer_id:
            raise Unknown(f"There is no connection {connection_id}.", fix="`gateway connect` makes connections.")
        return found

    def any_connection(self, connection_id: str) -> Connection | None:
        """The connection of this id, whosever it is, without its secrets: for webhooks, whose sender is yet to prove
        itself."""
        row = statements.CONNECTION.find(self._database.look, connection_id)
        return _connection(row) if row else None

    def connections(self, taxpayer_id: str) -> tuple[Connection, ...]:
        """A taxpayer's connections, without secrets."""
        wanted = select(CONNECTION).where(CONNECTION.c.taxpayer_id == taxpayer_id).order_by(CONNECTION.c.id)
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted).all()
        return tuple(_connection(row) for row in rows)

    def connections_of(self, taxpayer_id: str, unit_id: str, platforms: Iterable[str]) -> tuple[Connection, ...]:
        """Those of a unit that are of these platforms, without secrets: a quick look, for every order asks it."""
        wanted = frozenset(platforms)
        of_unit = "SELECT id, platform FROM connection WHERE taxpayer_id = ? AND unit_id = ? ORDER BY id"
        found = self._database.look(of_unit, (taxpayer_id, unit_id))
        return tuple(self.connection(taxpayer_id, name) for name, platform in found if platform in wanted)

    def _noted(
        self,
        transaction: Transaction,
        taxpayer_id: str,
        actor: str,
        action: str,
        target: str,
        now: datetime,
        detail: Mapping[str, Any],
    ) -> None:
        note(
            transaction,
            taxpayer_id=taxpayer_id,
            actor=actor,
            action=action,
            target=target,
            now=now,
            detail=detail,
        )


def _is(taxpayer_id: str, unit_id: str) -> tuple[Any, ...]:
    return UNIT.c.taxpayer_id == taxpayer_id, UNIT.c.id == unit_id


def _sent_by(taxpayer_id: str, unit_id: str) -> tuple[Any, ...]:
    return SUBMISSION.c.taxpayer_id == taxpayer_id, SUBMISSION.c.unit_id == unit_id


def _usable(name: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(name):
        raise BadInput(f"{name!r} cannot be an id.", fix="Use letters, digits, dots, dashes and underscores.")


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
