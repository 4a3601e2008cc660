"""Where events are delivered to, and every delivery: made once for each event, sent until it is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, exists, insert, select, update

from gateway.errors import Conflict, Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.events import Event, last_place, read_events
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.tables import AUDIT_BATCH
from gateway.ledger.webhook_tables import DELIVERY, WEBHOOK

_AT_ONCE: Final = 100
"""Deliveries that are made in one transaction."""
_HOOK: Final = WEBHOOK.c
_ONE: Final = DELIVERY.c


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    DUE = "due"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of events, of `types` or of all; the fields are those of the table."""

    id: str
    taxpayer_id: str
    url: str
    types: tuple[str, ...]
    seen: int
    created_at: datetime
    former_until: datetime | None
    off_at: datetime | None
    off_reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook; the fields are those of the table."""

    id: int
    taxpayer_id: str
    webhook_id: str
    event_id: str
    type: str
    body: str
    made_at: datetime
    state: str
    next_at: datetime | None
    attempts: int
    http_status: int | None
    error: str
    changed_at: datetime


class Webhooks:
    """Receivers and deliveries."""

    _database: Database

    def add_webhook(
        self, webhook_id: str, taxpayer_id: str, *, url: str, types: Sequence[str], actor: str, now: datetime
    ) -> None:
        """Deliver to this address what happens from now on."""
        with self._database.writing() as connection:
            values = {
                "id": webhook_id,
                "taxpayer_id": taxpayer_id,
                "url": url,
                "types": list(types),
                "seen": last_place(connection, taxpayer_id),
                "created_at": now,
                "off_reason": "",
            }
            connection.execute(insert(WEBHOOK), values)
            # Its host only: the rest may hold what lets in, and the audit log is read by many, and for ever.
            _note(connection, taxpayer_id, actor, "webhook.added", webhook_id, now, host=urlsplit(url).hostname)

    def webhooks(self, taxpayer_id: str) -> tuple[Webhook, ...]:
        """All of a taxpayer, oldest first."""
        mine = select(WEBHOOK).where(_HOOK.taxpayer_id == taxpayer_id, _HOOK.deleted_at.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(mine.order_by(_HOOK.created_at, _HOOK.id)).all()
        return tuple(_webhook(row) for row in rows)

    def webhook(self, taxpayer_id: str, webhook_id: str) -> Webhook:
        """One of them; Unknown if the taxpayer has no such one."""
        with self._database.reading() as connection:
            return _webhook(_found(connection, taxpayer_id, webhook_id))

    def delete_webhook(self, taxpayer_id: str, webhook_id: str, *, actor: str, now: datetime) -> None:
        """Deliver nothing to it any more; Unknown if the taxpayer has no such one."""
        with self._database.writing() as connection:
            _found(connection, taxpayer_id, webhook_id)
            connection.execute(update(WEBHOOK).where(_HOOK.id == webhook_id).values(deleted_at=now))
            _stop(connection, webhook_id, "The webhook was deleted.", now)
            _note(connection, taxpayer_id, actor, "webhook.deleted", webhook_id, now)

    def note_rotation(
        self, taxpayer_id: str, webhook_id: str, *, former_until: datetime, actor: str, now: datetime
    ) -> None:
        """Its secret is another one now; the former signs beside it until `former_until`."""
        with self._database.writing() as connection:
            _found(connection, taxpayer_id, webhook_id)
            connection.execute(update(WEBHOOK).where(_HOOK.id == webhook_id).values(former_until=former_until))
            _note(connection, taxpayer_id, actor, "webhook.rotated", webhook_id, now)

    def disable_webhook(self, taxpayer_id: str, webhook_id: str, *, reason: str, now: datetime) -> None:
        """Its receiver wants nothing more: what is due to it is not sent."""
        with self._database.writing() as connection:
            on = (_HOOK.id == webhook_id, _HOOK.off_at.is_(None))
            if connection.execute(update(WEBHOOK).where(*on).values(off_at=now, off_reason=reason)).rowcount:
                _stop(connection, webhook_id, reason, now)
                _note(connection, taxpayer_id, SYSTEM, "webhook.disabled", webhook_id, now, reason=reason)

    def make_deliveries(self, body: Callable[[Event], str], *, now: datetime) -> int:
        """Make deliveries of events that webhooks have not seen; how many. Each event becomes one for each webhook."""
        last = select(_HOOK.id).join(AUDIT_BATCH, AUDIT_BATCH.c.taxpayer_id == _HOOK.taxpayer_id)
        behind = last.where(*_is_on(), AUDIT_BATCH.c.last_seq > _HOOK.seen).distinct()
        with self._database.reading() as connection:
            ids = connection.execute(behind).scalars().all()
        return sum(self._deliveries_of(each, body, now) for each in ids)

    def _deliveries_of(self, webhook_id: str, body: Callable[[Event], str], now: datetime) -> int:
        mine = select(WEBHOOK).where(_HOOK.id == webhook_id, *_is_on()).with_for_update(skip_locked=True)
        with self._database.writing() as connection:
            row = connection.execute(mine).first()
            if row is None:
                return 0
            events, seen = read_events(connection, row.taxpayer_id, row.seen, _AT_ONCE, row.types)
            if events:
                connection.execute(insert(DELIVERY), [_new(row, each, body(each), now) for each in events])
            connection.execute(update(WEBHOOK).where(_HOOK.id == webhook_id).values(seen=seen))
        return len(events)

    def add_ping(
        self, taxpayer_id: str, webhook_id: str, *, event_id: str, type_: str, body: str, now: datetime
    ) -> None:
        """Deliver something that nothing happened for; Conflict where nothing is delivered."""
        with self._database.writing() as connection:
            _must_be_on(_found(connection, taxpayer_id, webhook_id))
            values = _values(taxpayer_id, webhook_id, event_id, type_, body, now)
            connection.execute(insert(DELIVERY), values)

    def claim_deliveries(
        self, *, now: datetime, limit: int, lease_until: datetime, worker: str
    ) -> tuple[Delivery, ...]:
        """Deliveries to send now, leased to `worker`."""
        if not any_due(self._database, DELIVERY, now):
            return ()
        with self._database.writing() as connection:
            keys = lease(
                connection,
                DELIVERY,
                _ONE.id,
                now=now,
                limit=limit,
                lease_until=lease_until,
                worker=worker,
                first=_ONE.next_at,
            )
            wanted = select(DELIVERY).where(_ONE.id.in_(keys)).order_by(_ONE.id)
            rows = connection.execute(wanted).all() if keys else []
        return tuple(_delivery(row) for row in rows)

    def end_delivery(
        self, due: Delivery, *, http_status: int | None, error: str, next_at: datetime | None, now: datetime
    ) -> None:
        """How an attempt went: without `error` it was taken, with `next_at` it is tried again. What was ended
        meanwhile, or is another attempt's now, stays."""
        state = DeliveryState.DUE if next_at else DeliveryState.FAILED if error else DeliveryState.DELIVERED
        values = {"state": state.value, "next_at": next_at, "attempts": due.attempts + 1, "changed_at": now}
        mine = (_ONE.id == due.id, _ONE.attempts == due.attempts, _ONE.state == DeliveryState.DUE.value)
        with self._database.writing() as connection:
            ended = update(DELIVERY).where(*mine).values(**values, http_status=http_status, error=error, **FREE)
            connection.execute(ended)

    def deliveries(
        self, taxpayer_id: str, webhook_id: str, *, before: int | None = None, limit: int = 100
    ) -> tuple[Delivery, ...]:
        """What was sent to a webhook or is to be, newest first, those before id `before`; Unknown if there is no such
        webhook."""
        wanted = select(DELIVERY).where(_ONE.webhook_id == webhook_id)
        if before is not None:
            wanted = wanted.where(_ONE.id < before)
        with self._database.reading() as connection:
            _found(connection, taxpayer_id, webhook_id)
            rows = connection.execute(wanted.order_by(_ONE.id.desc()).limit(limit)).all()
        return tuple(_delivery(row) for row in rows)

    def redeliver(
        self,
        taxpayer_id: str,
        webhook_id: str,
        *,
        actor: str,
        now: datetime,
        event_id: str = "",
        since: datetime | None = None,
    ) -> int:
        """Send one delivery again, or all that failed (of events since a time); how many. A webhook that was disabled
        is on again. Unknown: no such webhook or delivery."""
        ended = [_ONE.webhook_id == webhook_id, _ONE.next_at.is_(None)]
        ended += [_ONE.event_id == event_id] if event_id else [_ONE.state == DeliveryState.FAILED.value]
        ended += [_ONE.made_at >= since] if since else []
        again = {"state": DeliveryState.DUE.value, "next_at": now, "attempts": 0, "changed_at": now}
        with self._database.writing() as connection:
            _found(connection, taxpayer_id, webhook_id)
            if event_id:
                _must_be_there(connection, webhook_id, event_id)
            connection.execute(update(WEBHOOK).where(_HOOK.id == webhook_id).values(off_at=None, off_reason=""))
            count = int(connection.execute(update(DELIVERY).where(*ended).values(**again)).rowcount)
            _note(connection, taxpayer_id, actor, "webhook.redelivered", webhook_id, now, deliveries=count)
        return count


def _is_on() -> tuple[Any, ...]:
    return _HOOK.off_at.is_(None), _HOOK.deleted_at.is_(None)


def _found(connection: Connection, taxpayer_id: str, webhook_id: str) -> Row[Any]:
    mine = (_HOOK.taxpayer_id == taxpayer_id, _HOOK.id == webhook_id, _HOOK.deleted_at.is_(None))
    row = connection.execute(select(WEBHOOK).where(*mine)).first()
    if row is None:
        raise Unknown(f"There is no webhook {webhook_id}.", fix="`gateway webhooks list` shows them.")
    return row


def _must_be_on(row: Row[Any]) -> None:
    if row.off_at is not None:
        raise Conflict(f"Webhook {row.id} is off: {row.off_reason}", fix="Redeliver what failed: that turns it on.")


def _must_be_there(connection: Connection, webhook_id: str, event_id: str) -> None:
    mine = exists().where(_ONE.webhook_id == webhook_id, _ONE.event_id == event_id)
    if not connection.execute(select(mine)).scalar():
        raise Unknown(f"Nothing was delivered of event {event_id}.", fix="`gateway webhooks deliveries` shows them.")


def _stop(connection: Connection, webhook_id: str, why: str, now: datetime) -> None:
    open_ = (_ONE.webhook_id == webhook_id, _ONE.next_at.is_not(None))
    values = {"state": DeliveryState.FAILED.value, "next_at": None, "error": why, "changed_at": now}
    connection.execute(update(DELIVERY).where(*open_).values(**values, **FREE))


def _note(
    connection: Connection, taxpayer_id: str, actor: str, action: str, target: str, now: datetime, **detail: Any
) -> None:
    note(connection, taxpayer_id=taxpayer_id, actor=actor, action=action, target=target, now=now, detail=detail)


def _new(webhook: Row[Any], event: Event, body: str, now: datetime) -> dict[str, Any]:
    return _values(webhook.taxpayer_id, webhook.id, event.id, event.type, body, now)


def _values(taxpayer_id: str, webhook_id: str, event_id: str, type_: str, body: str, now: datetime) -> dict[str, Any]:
    return {
        "taxpayer_id": taxpayer_id,
        "webhook_id": webhook_id,
        "event_id": event_id,
        "type": type_,
        "body": body,
        "made_at": now,
        "state": DeliveryState.DUE.value,
        "next_at": now,
        "attempts": 0,
        "error": "",
        "changed_at": now,
    }


def _webhook(row: Row[Any]) -> Webhook:
    values = {field.name: getattr(row, field.name) for field in fields(Webhook)}
    return Webhook(**{**values, "types": tuple(row.types)})


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{field.name: getattr(row, field.name) for field in fields(Delivery)})
