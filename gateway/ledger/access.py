"""API keys, sealed envelopes and the installation's marks. What is secret arrives here hashed or sealed."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.errors import Conflict, Unknown
from gateway.ledger import statements
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.rows import ApiKey
from gateway.ledger.tables import API_KEY, ENVELOPE, MARK

TOUCH_EVERY: Final = timedelta(minutes=1)
"""A key's last use is noted at most this often, so that reading costs no writing."""


class Access:
    """Who may call, and the store of sealed secrets that `keys` works with."""

    _database: Database

    def add_api_key(
        self,
        key_id: str,
        taxpayer_id: str,
        *,
        role: str,
        hash: str,  # noqa: A002, it is the column's name
        label: str,
        now: datetime,
        actor: str = SYSTEM,
        ends_at: datetime | None = None,
        scope: Mapping[str, str] | None = None,
    ) -> None:
        """Let this key in from now on, until it ends; `hash` is all that is kept of it, `scope` what it sees if not
        everything. Conflict if its id is taken."""
        values = {
            "id": key_id,
            "taxpayer_id": taxpayer_id,
            "role": role,
            "hash": hash,
            "label": label,
            "created_at": now,
            "last_used_at": None,
            "revoked_at": None,
            "ends_at": ends_at,
            "scope": dict(scope or {}),
        }
        detail: dict[str, Any] = {"role": role, "label": label}
        if ends_at:
            detail["until"] = ends_at.isoformat()
        if scope:
            detail["sees"] = dict(scope)
        with self._database.writing() as connection:
            if connection.execute(select(1).where(API_KEY.c.id == key_id)).first():
                raise Conflict(f"API key {key_id} exists already.", fix="Make another one.")
            connection.execute(insert(API_KEY), values)
            self._note_key(connection, taxpayer_id, actor, "key.added", key_id, now, detail)

    def api_key(self, key_id: str) -> ApiKey | None:
        """The key of this id, revoked or not; the caller compares the hash."""
        row = statements.API_KEY.find(self._database.look, key_id)
        return _api_key(row) if row else None

    def api_keys(self, taxpayer_id: str) -> tuple[ApiKey, ...]:
        """All keys of a taxpayer, oldest first."""
        mine = API_KEY.c.taxpayer_id == taxpayer_id
        with self._database.reading() as connection:
            rows = connection.execute(select(API_KEY).where(mine).order_by(API_KEY.c.created_at, API_KEY.c.id)).all()
        return tuple(_api_key(row) for row in rows)

    def touch_api_key(self, key: ApiKey, *, now: datetime) -> None:
        """Note that the key was used, if that was not noted just before."""
        if not is_to_be_touched(key, now):
            return
        with self._database.writing() as connection:
            connection.execute(update(API_KEY).where(API_KEY.c.id == key.id).values(last_used_at=now))

    def revoke_api_key(
        self, key_id: str, *, now: datetime, taxpayer_id: str | None = None, actor: str = SYSTEM
    ) -> None:
        """Keep the key out from now on; no change if it is revoked already.

        Unknown if there is no such key, or it belongs to another taxpayer than the given one.
        """
        with self._database.writing() as connection:
            row = connection.execute(select(API_KEY).where(API_KEY.c.id == key_id)).first()
            if row is None or taxpayer_id not in (None, row.taxpayer_id):
                raise Unknown(f"There is no API key {key_id}.", fix="`gateway keys list` lists them.")
            if row.revoked_at is None:
                connection.execute(update(API_KEY).where(API_KEY.c.id == key_id).values(revoked_at=now))
                self._note_key(connection, row.taxpayer_id, actor, "key.revoked", key_id, now, {})

    def _note_key(
        self,
        connection: Connection,
        taxpayer_id: str,
        actor: str,
        action: str,
        key_id: str,
        now: datetime,
        detail: Mapping[str, Any],
    ) -> None:
        note(
            connection,
            taxpayer_id=taxpayer_id,
            actor=actor,
            action=action,
            target=key_id,
            now=now,
            detail=detail,
        )

    def save_envelope(self, *, kind: str, ref: str, blob: bytes, replace: bool) -> None:
        """Keep a sealed envelope; `ref` begins with the taxpayer's id and a slash, unless it is the installation's own.
        Conflict if one stands there and is not to be replaced."""
        here = _at(kind, ref)
        with self._database.writing() as connection:
            stands = connection.execute(select(1).where(*here)).first() is not None
            if stands and not replace:
                raise Conflict(f"There is a {kind} for {ref} already.", fix="Use another name.")
            if stands:
                connection.execute(update(ENVELOPE).where(*here).values(blob=blob))
                return
            owner = ref.partition("/")[0] if "/" in ref else None
            connection.execute(insert(ENVELOPE), {"kind": kind, "ref": ref, "taxpayer_id": owner, "blob": blob})

    def load_envelope(self, *, kind: str, ref: str) -> bytes | None:
        """The sealed bytes, None if there are none."""
        with self._database.reading() as connection:
            blob = connection.execute(select(ENVELOPE.c.blob).where(*_at(kind, ref))).scalar()
        return None if blob is None else bytes(blob)

    def delete_envelope(self, *, kind: str, ref: str) -> None:
        """Forget an envelope; nothing happens if there is none."""
        with self._database.writing() as connection:
            connection.execute(delete(ENVELOPE).where(*_at(kind, ref)))

    def envelopes(self) -> Iterator[tuple[str, str, bytes]]:
        """Kind, reference and sealed bytes of every envelope."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ENVELOPE).order_by(ENVELOPE.c.kind, ENVELOPE.c.ref)).all()
        return ((row.kind, row.ref, row.blob) for row in rows)

    def swap_envelopes(self, blobs: Mapping[tuple[str, str], bytes], *, marks: Mapping[str, str]) -> None:
        """Put other bytes into these envelopes and other values into these marks, all at once or not at all."""
        with self._database.writing() as connection:
            for (kind, ref), blob in blobs.items():
                connection.execute(update(ENVELOPE).where(*_at(kind, ref)).values(blob=blob))
            for name, value in marks.items():
                connection.execute(update(MARK).where(MARK.c.name == name).values(value=value))

    def mark(self, name: str) -> str | None:
        """What the installation remembers under this name."""
        row = statements.MARK.find(self._database.look, name)
        return row.value if row else None

    def set_mark(self, name: str, *, value: str) -> str:
        """Remember a value unless there is one; the value that stands then."""
        with self._database.writing() as connection:
            standing = connection.execute(select(MARK.c.value).where(MARK.c.name == name)).scalar()
            if standing is not None:
                return str(standing)
            connection.execute(insert(MARK), {"name": name, "value": value})
        return value

    def put_mark(self, name: str, value: str) -> None:
        """Remember a value in the place of any before."""
        with self._database.writing() as connection:
            if connection.execute(update(MARK).where(MARK.c.name == name).values(value=value)).rowcount == 0:
                connection.execute(insert(MARK), {"name": name, "value": value})


def is_to_be_touched(key: ApiKey, now: datetime) -> bool:
    """Whether the last use on record is too old to stand for this one."""
    return key.last_used_at is None or now - key.last_used_at >= TOUCH_EVERY


def _at(kind: str, ref: str) -> tuple[Any, Any]:
    return ENVELOPE.c.kind == kind, ENVELOPE.c.ref == ref


def _api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(**{column.name: getattr(row, column.name) for column in API_KEY.c})
