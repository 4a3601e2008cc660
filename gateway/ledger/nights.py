"""Whose turn the nightly examination of the books is: one worker's of all, once a night, taken over if it dies."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.columns import iso
from gateway.ledger.database import Database
from gateway.ledger.tables import MARK, TAXPAYER

_NIGHT: Final = "night"
_BOOKMARK: Final = "doctor:"
CHECKPOINTS_BOOKMARK: Final = "doctor:checkpoints"
"""Says where the files outside ended, which nothing else knows; a new beginning keeps it."""


class Nights:
    """The turns, and forgetting bookmarks."""

    _database: Database

    def take_night(self, night: date, *, worker: str, now: datetime, until: datetime) -> bool:
        """Whether `worker` is to examine the books this night; it is until `until`, and longer if it asks again.

        The first night that was ever asked about is over already: nothing is examined the moment a gateway starts.
        """
        with self._database.writing() as connection:
            if not self._database.has_turn(connection, "taking a night"):
                return False
            last = _read(connection)
            if last is None:
                _put(connection, {"night": f"{night}", "by": worker, "until": iso(now), "done": True})
                return False
            is_taken = str(last["until"]) > iso(now) and last["by"] != worker
            if f"{night}" < last["night"] or (f"{night}" == last["night"] and (last["done"] or is_taken)):
                return False
            _put(connection, {"night": f"{night}", "by": worker, "until": iso(until), "done": False})
        return True

    def end_night(
        self, night: date, *, worker: str, now: datetime, found: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """The books were examined this night; what was `found` in those of each taxpayer stands in their audit log."""
        with self._database.writing() as connection:
            known = set(connection.execute(select(TAXPAYER.c.id)).scalars())
            for owner in sorted(known & set(found or {})):
                note(
                    connection,
                    taxpayer_id=owner,
                    actor=SYSTEM,
                    action="doctor.found",
                    target=f"{night}",
                    now=now,
                    detail=(found or {})[owner],
                )
            _put(connection, {"night": f"{night}", "by": worker, "until": iso(now), "done": True})

    def forget_bookmarks(self) -> None:
        """The next look that goes on from the last one begins at the beginning of every chain and log."""
        with self._database.writing() as connection:
            names = connection.execute(select(MARK.c.name).where(MARK.c.name.startswith(_BOOKMARK, autoescape=True)))
            for name in set(names.scalars()) - {CHECKPOINTS_BOOKMARK}:
                connection.execute(update(MARK).where(MARK.c.name == name).values(value=""))

    def forget_checkpoints(self) -> None:
        """Where the files outside ended counts no longer: they are lost."""
        with self._database.writing() as connection:
            connection.execute(update(MARK).where(MARK.c.name == CHECKPOINTS_BOOKMARK).values(value=""))


def _read(connection: Connection) -> dict[str, Any] | None:
    value = connection.execute(select(MARK.c.value).where(MARK.c.name == _NIGHT)).scalar()
    try:
        last = json.loads(value or "")
        return last if isinstance(last, dict) and {"night", "by", "until", "done"} <= set(last) else None
    except ValueError:
        return None


def _put(connection: Connection, night: dict[str, Any]) -> None:
    value = json.dumps(night)
    if connection.execute(update(MARK).where(MARK.c.name == _NIGHT).values(value=value)).rowcount == 0:
        connection.execute(insert(MARK), {"name": _NIGHT, "value": value})
