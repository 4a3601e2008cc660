"""How printed documents look: of a taxpayer, and where it is set, of one of its units."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select

from gateway.errors import Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.tables import LOOKS
from gateway.looks import Looks

EVERY_UNIT: Final = ""
"""In the place of a unit: the looks of the taxpayer, which units without their own have."""

_HERE = LOOKS.c


class Appearance:
    """Setting looks, taking them back, finding those of a unit. The audit log keeps who did."""

    _database: Database

    def set_looks(self, taxpayer_id: str, unit_id: str, looks: Looks, *, now: datetime, actor: str = SYSTEM) -> None:
        """From now on documents are printed so; those that were printed are not touched."""
        with self._database.writing() as connection:
            connection.execute(delete(LOOKS).where(*_of(taxpayer_id, unit_id)))
            row = {"taxpayer_id": taxpayer_id, "unit_id": unit_id, **asdict(looks), "changed_at": now}
            connection.execute(insert(LOOKS), row)
            detail = {"colour": looks.colour, "accent": looks.accent, "footer": looks.footer, "logo": bool(looks.logo)}
            note(
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="looks.set",
                target=unit_id or taxpayer_id,
                now=now,
                detail=detail,
            )

    def clear_looks(self, taxpayer_id: str, unit_id: str, *, now: datetime, actor: str = SYSTEM) -> None:
        """Print as if none had been set; Unknown if none were."""
        with self._database.writing() as connection:
            if connection.execute(delete(LOOKS).where(*_of(taxpayer_id, unit_id))).rowcount == 0:
                raise Unknown(f"No looks are set for {unit_id or taxpayer_id}.", fix="There is nothing to take back.")
            note(
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="looks.cleared",
                target=unit_id or taxpayer_id,
                now=now,
            )

    def looks(self, taxpayer_id: str, unit_id: str = EVERY_UNIT) -> Looks:
        """Those of the unit, else those of its taxpayer, else the plain ones."""
        wanted = select(LOOKS).where(_HERE.taxpayer_id == taxpayer_id, _HERE.unit_id.in_([unit_id, EVERY_UNIT]))
        with self._database.reading() as connection:
            row = connection.execute(wanted.order_by(_HERE.unit_id.desc())).first()
        return Looks(colour=row.colour, accent=row.accent, logo=row.logo, footer=row.footer) if row else Looks()


def _of(taxpayer_id: str, unit_id: str) -> tuple[Any, ...]:
    return _HERE.taxpayer_id == taxpayer_id, _HERE.unit_id == unit_id
