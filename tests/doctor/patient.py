"""Books of every kind to examine, and hands that change them as the database's superuser."""

# ruff: noqa: S608

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gateway.ledger import Ledger
from gateway.order import read_order
from gateway.pipeline.doctor import Examination
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.settings import Settings
from gateway.worker import Worker
from tests.installation import BUSINESS, OWNER, order

DOCUMENTS = 16
HARMLESS = {"sqlite.version"}


def make_books(settings: Settings, documents: int = DOCUMENTS, *, sent: bool = True) -> None:
    """Issue standard and simplified documents, and let the authority have most of them."""
    with open_gateway(settings) as gateway:
        for number in range(documents):
            more = {"buyer": BUSINESS} if number % 2 else {}
            content = json.dumps(order(number, **more))
            issue(gateway, Request(OWNER, "tests", read_order(content)))
            if sent and number == documents - 3:
                asyncio.run(_send(gateway))


async def _send(gateway) -> None:
    async with online(gateway) as lines:
        await Worker(gateway, lines, name="tests").drain()


def found(settings: Settings, **how) -> list:
    """What the doctor finds wrong, but for what is this machine's."""
    with Ledger.open(settings.ledger_url) as ledger:
        return wrong_in(ledger, settings, **how)


def wrong_in(ledger: Ledger, settings: Settings, **how) -> list:
    """The same of a ledger that is open."""
    return [each for each in Examination(ledger, settings, **how).symptoms() if each.code not in HARMLESS]


class Superuser:
    """Changes the rows of a ledger past its guards."""

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            self.db.execute(f"DROP TRIGGER {name}")

    def close(self) -> None:
        self.db.close()

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.db.execute(f"PRAGMA table_info({table})")]

    def rows(self, table: str) -> list[int]:
        return [row[0] for row in self.db.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]

    def value(self, table: str, row: int, column: str):
        return self.db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()[0]

    def put(self, table: str, row: int, column: str, value) -> None:
        self.db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))


class Tampering(NamedTuple):
    """What was done, and a test of whether a symptom's place is the right one."""

    what: str
    is_place: Callable[[dict], bool]


# What is examined of each table. Not among them: what is only for people and for the gateway's own sums.
FLIPPED = {
    "document": "uuid taxpayer_id unit_id chain_id icv pih number kind profile hash issued_at made_at currency total"
    " vat rounding buyer_name buyer_vat sale_id rule_book".split(),
    "stamp": "document_uuid taxpayer_id csid_id signature xml qr signed_at".split(),
    "clearance": "document_uuid taxpayer_id xml qr".split(),
    "audit": "taxpayer_id seq at actor action object detail hash".split(),
    "audit_batch": "taxpayer_id number last_seq digest sealed_at previous hash".split(),
}


def tamper(hand: Superuser, chance: random.Random) -> Tampering:
    """Do one thing to one row, or to two."""
    table = chance.choice([*FLIPPED, "stamp", "document", "audit"])
    deed = chance.choice([_flip, _flip, _delete, _insert, _swap, _truncate])
    return deed(hand, chance, table)


def _place_of(hand: Superuser, table: str, row: int) -> Callable[[dict], bool]:
    """Symptoms belong to a row if they name its document or the neighbour that shows the gap, or its entry, or if
    it was the last, what that was about."""
    if table == "audit":
        seq, about = (hand.value("audit", row, name) for name in ("seq", "object"))
        return lambda where: where.get("entry") in (seq, seq + 1) or about in where.values()
    if table == "audit_batch":
        number = hand.value(table, row, "number")
        return lambda where: where.get("batch") in (number, number + 1)
    key = "uuid" if table == "document" else "document_uuid"
    uuid = hand.value(table, row, key)
    icv = hand.db.execute("SELECT icv FROM document WHERE uuid = ?", (uuid,)).fetchone()[0]
    return lambda where: uuid in where.values() or where.get("icv") in (icv - 1, icv, icv + 1)


def _flipped(value, chance: random.Random):
    """The value with one bit or one character of it changed."""
    if isinstance(value, int):
        return value + chance.choice([-1, 1])
    if isinstance(value, bytes):
        at = chance.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << chance.randrange(7)]) + value[at + 1 :]
    at = chance.randrange(len(value) or 1)
    return value[:at] + ("x" if value[at : at + 1] != "x" else "y") + value[at + 1 :]


def _flip(hand: Superuser, chance: random.Random, table: str) -> Tampering:
    row, column = chance.choice(hand.rows(table)), chance.choice(FLIPPED[table])
    place, value = _place_of(hand, table, row), hand.value(table, row, column)
    changed = _flipped(value, chance)
    try:
        hand.put(table, row, column, changed)
    except sqlite3.IntegrityError:  # its key is another row's: then that one goes
        return _delete(hand, chance, table)
    return Tampering(f"{table}.{column} of row {row}: {value!r:.90} became {changed!r:.90}", place)


def _delete(hand: Superuser, chance: random.Random, table: str) -> Tampering:
    row = chance.choice(hand.rows(table))
    place = _place_of(hand, table, row)
    hand.db.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
    return Tampering(f"row {row} of {table} deleted", place)


def _insert(hand: Superuser, chance: random.Random, table: str) -> Tampering:
    """A copy of a row under another key."""
    row, columns = chance.choice(hand.rows(table)), hand.columns(table)
    values = dict(
        zip(columns, hand.db.execute(f"SELECT * FROM {table} WHERE rowid = ?", (row,)).fetchone(), strict=True)
    )
    if table == "audit":
        values |= {"id": None, "seq": len(hand.rows("audit")) + chance.randint(1, 3)}
    elif table == "audit_batch":
        values["number"] = len(hand.rows("audit_batch")) + chance.randint(1, 3)
    elif table == "document":
        values |= {"uuid": "forged", "number": "FORGED", "icv": len(hand.rows("document")) + chance.randint(1, 3)}
    else:
        values["document_uuid"] = "forged"
    hand.db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})", list(values.values()))
    forged = {"forged", values.get("seq"), values.get("icv"), values.get("last_seq")} - {None}
    due = {len(hand.rows(table if table.startswith("audit") else "document"))}
    return Tampering(f"row {row} of {table} copied in", lambda where: bool((forged | due) & set(where.values())))


def _swap(hand: Superuser, chance: random.Random, table: str) -> Tampering:
    """Two rows exchange all that is not their key."""
    rows = hand.rows(table)
    first, second = chance.sample(rows, 2)
    keys = {
        "document": {"uuid", "number"},
        "audit": {"id", "taxpayer_id", "seq"},
        "audit_batch": {"taxpayer_id", "number"},
    }.get(table, {"document_uuid"})
    place = _place_of(hand, table, first)
    moved = [name for name in hand.columns(table) if name not in keys]
    if table == "document":
        moved = ["hash", "total", "pih", "made_at"]
    one, two = ([hand.value(table, row, name) for name in moved] for row in (first, second))
    for row, values in ((first, two), (second, one)):
        for name, value in zip(moved, values, strict=True):
            hand.put(table, row, name, value)
    return Tampering(f"rows {first} and {second} of {table} swapped", place)


def _truncate(hand: Superuser, chance: random.Random, table: str) -> Tampering:
    """The end of a table is cut off; of documents, heads and all."""
    rows = hand.rows(table)
    first = rows[-chance.randint(1, min(5, len(rows)))]
    place = _place_of(hand, table, first)
    if table == "audit":  # the batch that ends there names the last of the entries that are gone
        gone = {hand.value(table, row, "seq") for row in rows if row >= first}
        place = lambda where, of_first=place: of_first(where) or where.get("entry") in gone  # noqa: E731
    hand.db.execute(f"DELETE FROM {table} WHERE rowid >= ?", (first,))
    if table == "document" and chance.random() < 0.5:
        last = hand.db.execute("SELECT icv, hash, made_at FROM document ORDER BY icv DESC LIMIT 1").fetchone()
        hand.db.execute("UPDATE chain SET head_icv = ?, head_hash = ?, head_at = ?", last)
        for child in ("stamp", "submission", "clearance", "attempt"):
            hand.db.execute(f"DELETE FROM {child} WHERE document_uuid NOT IN (SELECT uuid FROM document)")
        hand.db.execute("DELETE FROM sale WHERE document_uuid NOT IN (SELECT uuid FROM document)")
    return Tampering(f"{table} cut off from row {first}", place)


def copy_home(settings: Settings, home: Path) -> Settings:
    """The same installation in another folder."""
    shutil.copytree(settings.home, home)
    return settings.model_copy(update={"home": home})
