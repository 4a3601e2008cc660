"""The warnings that a taxpayer lets stand on its documents. Every other finding of the rule book stops a document."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from gateway.errors import Conflict, Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.rows import AllowedWarning
from gateway.ledger.tables import ALLOWED_WARNING

_MINE = ALLOWED_WARNING.c


class Strictness:
    """Allowing warnings and refusing them again. The audit log keeps who did, when and why."""

    _database: Database

    def allow_warning(self, taxpayer_id: str, rule: str, *, reason: str, now: datetime, actor: str = SYSTEM) -> None:
        """Let documents be made in spite of this warning from now on; Conflict if they are already."""
        with self._database.writing() as connection:
            standing = connection.execute(select(ALLOWED_WARNING).where(*_is(taxpayer_id, rule))).first()
            if standing:
                raise Conflict(
                    f"{rule} is allowed already, since {standing.at:%Y-%m-%d}: {standing.reason}",
                    fix=f"`gateway rules refuse {rule}` first, to give another reason.",
                )
            connection.execute(
                insert(ALLOWED_WARNING),
                {"taxpayer_id": taxpayer_id, "rule": rule, "reason": reason, "actor": actor, "at": now},
            )
            note(
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="warning.allowed",
                target=rule,
                now=now,
                detail={"reason": reason},
            )

    def refuse_warning(self, taxpayer_id: str, rule: str, *, now: datetime, actor: str = SYSTEM) -> None:
        """Let the warning stop documents again; Unknown if it does."""
        with self._database.writing() as connection:
            if connection.execute(delete(ALLOWED_WARNING).where(*_is(taxpayer_id, rule))).rowcount == 0:
                raise Unknown(f"{rule} is not allowed here.", fix="`gateway rules list` shows the warnings that are.")
            note(
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="warning.refused",
                target=rule,
                now=now,
            )

    def allowed_warnings(self, taxpayer_id: str) -> tuple[AllowedWarning, ...]:
        """Those that stand at this moment, by rule."""
        wanted = select(ALLOWED_WARNING).where(_MINE.taxpayer_id == taxpayer_id).order_by(_MINE.rule)
        with self._database.reading() as connection:
            return tuple(_allowed(row) for row in connection.execute(wanted))


def _is(taxpayer_id: str, rule: str) -> tuple[Any, ...]:
    return _MINE.taxpayer_id == taxpayer_id, _MINE.rule == rule


def _allowed(row: Row[Any]) -> AllowedWarning:
    return AllowedWarning(row.rule, row.reason, row.actor, row.at)
