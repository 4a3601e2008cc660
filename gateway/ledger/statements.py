"""Hand-written SQL of the way that every order takes, put together once for either database; `?` stands for a value.

It goes past SQLAlchemy, which would take most of the time of such small statements. Columns and the spelling of values
are those of the tables, so that a row is the same whichever way it is written.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from gateway.ledger import tables as t
from gateway.ledger.columns import Json, Moment, Money, canonical_json, iso
from gateway.ledger.erp_tables import POSTING as _POSTING
from gateway.ledger.rows import CsidRecord, NewSale
from gateway.ledger.shop_tables import LINK_BACK as _LINK_BACK

Look = Callable[[str, Sequence[Any]], list[Any]]
"""Runs one such statement: its rows."""

_SPELLED: Final[dict[type, Callable[[Any], Any]]] = {
    Moment: lambda value: None if value is None else iso(value),
    Money: lambda value: None if value is None else f"{value:f}",
    Json: lambda value: None if value is None else canonical_json(value),
}


class Insert:
    """A new row of a table; ids that the database gives out are left to it, unless they are `numbered` here."""

    def __init__(self, table: Table, *, numbered: bool = False) -> None:
        columns = [each for each in table.c if numbered or not (each.primary_key and each.name == "id")]
        marks = ", ".join("?" for _ in columns)
        self.sql = f"INSERT INTO {table.name} ({', '.join(each.name for each in columns)}) VALUES ({marks})"  # noqa: S608
        self._columns = [(each.name, _SPELLED.get(type(each.type))) for each in columns]

    def row(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values in the order of the statement, spelled as they are stored."""
        return tuple([spell(values[name]) if spell else values[name] for name, spell in self._columns])


_READ: Final[dict[type, Callable[[Any], Any]]] = {
    Moment: lambda text: None if text is None else datetime.fromisoformat(text),
    Money: lambda text: None if text is None else Decimal(text),
    Json: lambda text: None if text is None else json.loads(text),
}


class Lookup:
    """The row of a table that some columns name."""

    def __init__(self, table: Table, *by: str) -> None:
        names = [each.name for each in table.c]
        self._row: Any = namedtuple(f"{table.name}_row", names)  # type: ignore[misc]
        self._reads = [_READ.get(type(each.type)) for each in table.c]
        wanted = " AND ".join(f"{name} = ?" for name in by)
        self._sql = f"SELECT {', '.join(names)} FROM {table.name} WHERE {wanted}"  # noqa: S608

    def find(self, look: Look, *key: str) -> Any:
        """The row with its values as the tables say, None if there is none."""
        found = look(self._sql, key)
        if not found:
            return None
        return self._row._make(
            [read(value) if read else value for read, value in zip(self._reads, found[0], strict=True)]
        )


UNIT: Final = Lookup(t.UNIT, "taxpayer_id", "id")
CONNECTION: Final = Lookup(t.CONNECTION, "id")
API_KEY: Final = Lookup(t.API_KEY, "id")
MARK: Final = Lookup(t.MARK, "name")

SNAPSHOT: Final = Insert(t.ORDER_SNAPSHOT, numbered=True)
SALE: Final = Insert(t.SALE, numbered=True)
DOCUMENT: Final = Insert(t.DOCUMENT)
STAMP: Final = Insert(t.STAMP)
STAMPING: Final = Insert(t.STAMPING)
SUBMISSION: Final = Insert(t.SUBMISSION)
LINK_BACK: Final = Insert(_LINK_BACK)
POSTING: Final = Insert(_POSTING)
AUDIT: Final = Insert(t.AUDIT)
IDEMPOTENCY_KEY: Final = Insert(t.IDEMPOTENCY_KEY)
MOVE_HEAD: Final = "UPDATE chain SET head_icv = ?, head_hash = ?, head_at = ? WHERE id = ?"
DRAW: Final = "UPDATE unit SET next_number = ? WHERE taxpayer_id = ? AND id = ?"

_CSID: Final = [each.name for each in t.CSID.c]
_HEAD: Final = f"""
    SELECT {", ".join(f"csid.{name}" for name in _CSID)},
        chain.head_icv, chain.head_hash, chain.head_at, unit.held_at, unit.number_prefix, unit.next_number
    FROM csid JOIN chain ON chain.id = csid.chain_id
        JOIN unit ON unit.taxpayer_id = csid.taxpayer_id AND unit.id = csid.unit_id
    WHERE csid.taxpayer_id = ? AND csid.unit_id = ? AND csid.stage = 'production' AND csid.retired_at IS NULL
        AND chain.sealed_at IS NULL
"""  # noqa: S608, names of columns
_HEAD_LOCKED: Final = f"{_HEAD} FOR NO KEY UPDATE OF csid, chain, unit"
_SALE_EXISTS: Final = "SELECT 1 FROM sale WHERE taxpayer_id = ? AND connection_id = ? AND thing = ? AND kind = ?"


_LAST_IDS: Final = """
    SELECT (SELECT COALESCE(MAX(id), 0) FROM order_snapshot), (SELECT COALESCE(MAX(id), 0) FROM sale)
"""
_DRAWN_IDS: Final = """
    SELECT nextval('order_snapshot_id_seq'), nextval('sale_id_seq') FROM generate_series(1, ?)
"""


class UnitKey(NamedTuple):
    """A unit's own name in the installation."""

    taxpayer_id: str
    unit_id: str


class Head(NamedTuple):
    """A unit that issues: its certificate in use, how far its open chain goes, and its series of numbers."""

    csid: CsidRecord
    icv: int
    hash: str
    at: datetime
    is_held: bool
    prefix: str
    next_number: int


def head_row(look: Look, unit: UnitKey, *, lock: bool = False) -> tuple[Any, ...] | None:
    """The row behind a unit's head, to be compared with another look at it; locked where others could move it. None
    if the unit has no certificate in use."""
    # PostgreSQL finds nothing where the certificate it waited for was retired meanwhile; the next one stands then.
    found = look(_HEAD_LOCKED if lock else _HEAD, unit) or (lock and look(_HEAD_LOCKED, unit))
    return tuple(found[0]) if found else None


def head_of(row: tuple[Any, ...]) -> Head:
    """What such a row says."""
    csid = dict(zip(_CSID, row, strict=False))
    icv, document_hash, at, held_at, prefix, next_number = row[len(_CSID) :]
    record = CsidRecord(
        id=csid["id"],
        taxpayer_id=csid["taxpayer_id"],
        unit_id=csid["unit_id"],
        stage=csid["stage"],
        request_id=csid["request_id"],
        token=csid["token"],
        certificate=csid["certificate"],
        not_before=datetime.fromisoformat(csid["not_before"]),
        not_after=datetime.fromisoformat(csid["not_after"]),
        retired_at=_moment(csid["retired_at"]),
        chain_id=csid["chain_id"],
        revoked_at=_moment(csid["revoked_at"]),
    )
    moment = datetime.fromisoformat(at)
    return Head(record, icv, document_hash, moment, held_at is not None, prefix, next_number)


_moment: Final = _READ[Moment]


def natural_key(sale: NewSale) -> tuple[str, str, str, str]:
    """What makes a second document of a sale impossible."""
    return sale.taxpayer_id, sale.connection_id, sale.thing, sale.kind.value


def sale_exists(look: Look, sale: NewSale) -> bool:
    """Whether the sale has a document."""
    return bool(look(_SALE_EXISTS, natural_key(sale)))


def standing(look: Look, sales: Iterable[NewSale]) -> set[tuple[str, ...]]:
    """The natural keys, and (taxpayer, key) of the Idempotency-Keys, that are taken already."""
    of_sales = [natural_key(each) for each in sales]
    of_keys = [(each.taxpayer_id, each.idempotency_key) for each in sales if each.idempotency_key]
    return {
        *_among(look, "sale", ("taxpayer_id", "connection_id", "thing", "kind"), of_sales),
        *_among(look, "idempotency_key", ("taxpayer_id", "key"), of_keys),
    }


def taken(look: Look, numbers: Sequence[tuple[str, str]]) -> set[tuple[str, ...]]:
    """Those of these (taxpayer, number) that a document has."""
    return _among(look, "document", ("taxpayer_id", "number"), numbers)


def _among(look: Look, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> set[tuple[str, ...]]:
    if not values:
        return set()
    names = ", ".join(f"{table}.{name}" for name in columns)
    one = f"({', '.join('?' for _ in columns)})"
    alike = " AND ".join(f"{table}.{name} = wanted.column{n}" for n, name in enumerate(columns, 1))
    # A join in this order, for SQLite would read the whole table to find rows IN a list.
    sql = f"SELECT {names} FROM (VALUES {', '.join(one for _ in values)}) AS wanted CROSS JOIN {table} WHERE {alike}"  # noqa: S608
    return {tuple(row) for row in look(sql, [value for each in values for value in each])}


def next_ids(look: Look, count: int, *, is_sqlite: bool) -> Sequence[tuple[int, int]]:
    """Ids for so many new snapshots and sales. In SQLite the one who writes is alone, so those after the last are
    free."""
    if is_sqlite:
        [(snapshot, sale)] = look(_LAST_IDS, ())
        return [(snapshot + n, sale + n) for n in range(1, count + 1)]
    return [(row[0], row[1]) for row in look(_DRAWN_IDS, (count,))]
