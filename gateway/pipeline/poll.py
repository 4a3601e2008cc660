"""A shop is asked what changed: whatever its webhooks do, no order is missed.

One poll is one page. What it names is kept as hints beside those of webhooks, in the same transaction as how far the
walk went, so it goes on there after a crash. A page that names an order in the same version names no new hint.
"""

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog

from gateway import stores
from gateway.connection import Connection
from gateway.errors import GatewayError, Misconfigured, Throttled, Unavailable
from gateway.ledger import DuePoll, Polled
from gateway.pipeline.credentials import ready
from gateway.pipeline.gateway import Gateway, Lines
from gateway.stores.store import Changed, Changes, Subscribing, Walk

log = structlog.get_logger()

OVERLAP: Final = timedelta(minutes=5)
"""Orders may become visible a little after the moment they bear, and a shop's machines have clocks of their own."""

SETTLED: Final = timedelta(minutes=1)
"""Shops count seconds: an order that changed just now may change again in the same one, and look as if it had not. So
what changed since then is looked at again, and the next walk begins no later."""

WEBHOOKS_EVERY: Final = timedelta(hours=1)
"""How often a shop is asked whether it still sends its webhooks."""

LONGEST_LOOK: Final = 150.0
"""Seconds for all exchanges of one look; after a worker's lease another would take over."""

LONGEST_MARK: Final = 2000
"""Letters of a page's mark, which some platforms make up themselves."""

_ID: Final = re.compile(r"[!-~][ -~]{0,99}")
"""What can be an order's id or version; one odd row must not stop all the others."""

SLOW: Final = timedelta(minutes=30)
"""Between two tries at a shop that a person has to mend first."""


def interval_of(connection: Connection, default: float) -> timedelta | None:
    """How long to wait between two walks; None for a connection that is not asked at all."""
    said = connection.settings.get("poll_seconds", f"{default:f}")
    try:
        seconds = float(said)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86400:
        raise Misconfigured(
            f"Connection {connection.id}: poll_seconds cannot be {said!r}.",
            fix="Use seconds up to 86400, such as 300; 0 is never.",
        )
    return timedelta(seconds=seconds) if seconds else None


async def poll(gateway: Gateway, lines: Lines, due: DuePoll, again: timedelta) -> int:
    """Read one page of a shop's changes; how many orders are to be looked at for it."""
    polled = await _asked(gateway, lines, due, again)
    new = await gateway.offload(gateway.ledger.end_poll, due, polled, now=gateway.now())
    if polled.error:
        log.warning("poll_failed", connection=due.connection_id, error=polled.error)
    return new


async def _asked(gateway: Gateway, lines: Lines, due: DuePoll, again: timedelta) -> Polled:
    stays = Polled((), due.since, due.page, due.newest, gateway.now() + SLOW)
    try:
        connection = await ready(gateway, lines, due.taxpayer_id, due.connection_id)
        every = interval_of(connection, gateway.settings.poll_seconds)
        if every is None:
            return replace(stays, next_at=gateway.now() + timedelta(days=1))
        await _see_to_webhooks(gateway, lines, connection, due)
        walk = Walk(due.since - OVERLAP, due.page)
        async with asyncio.timeout(LONGEST_LOOK):
            changes = await stores.store_of(connection.platform).changed(connection, lines.outside, walk)
    except TimeoutError:
        return replace(stays, error="The shop takes too long.")
    except Unavailable as error:
        until = gateway.now() + max(again, timedelta(seconds=error.retry_after))
        if isinstance(error, Throttled):
            await gateway.offload(gateway.ledger.leave_alone, due.connection_id, until=until)
        return replace(stays, next_at=until, error=str(error))
    except GatewayError as error:
        return replace(stays, error=str(error))
    return _kept(due, changes, gateway.now(), every)


def _kept(due: DuePoll, changes: Changes, now: datetime, every: timedelta) -> Polled:
    """How far the walk went. Only a walk that came to its end moves the moment it began from."""
    newest = max((each for each in (due.newest, changes.newest) if each), default=None)
    orders = tuple((each.order_id, _delivery(each, now)) for each in changes.orders if _ID.fullmatch(each.order_id))
    if changes.page and (changes.page == due.page or len(changes.page) > LONGEST_MARK or "\0" in changes.page):
        return Polled((), due.since, "", None, now + SLOW, "The shop's list of changes leads nowhere.")
    if changes.page:
        return Polled(orders, due.since, changes.page, newest, now + timedelta(seconds=changes.pause))
    # Nor must a moment that is yet to come, of a clock that is wrong, keep what happens until then from being seen.
    since = max(due.since, min(newest, now - SETTLED)) if newest else due.since
    return Polled(orders, since, "", None, now + max(every, timedelta(seconds=changes.pause)))


def _delivery(changed: Changed, now: datetime) -> str:
    """What marks a repeat: the same order in the same version, once that cannot change unseen any more."""
    fresh = changed.at is not None and changed.at > now - SETTLED
    version = changed.version if _ID.fullmatch(changed.version) else sha256(changed.version.encode()).hexdigest()
    return f"poll:{changed.order_id}:{version}{f':{now.isoformat()}' if fresh else ''}"


async def _see_to_webhooks(gateway: Gateway, lines: Lines, connection: Connection, due: DuePoll) -> None:
    """Now and then: are the webhooks still there? A shop that cannot say so is asked for its changes all the same."""
    store, now = stores.store_of(connection.platform), gateway.now()
    address = hook_address(gateway, connection)
    if not isinstance(store, Subscribing) or not address or (due.told_at and due.told_at + WEBHOOKS_EVERY > now):
        return
    try:
        done = await store.subscribe(connection, lines.outside, address)
    except Throttled:
        raise
    except GatewayError as error:
        done = (str(error),)
    if done:
        log.warning("webhooks_mended", connection=connection.id, done="; ".join(done))
    await gateway.offload(gateway.ledger.note_told, connection.id, told="; ".join(done), now=now)


def hook_address(gateway: Gateway, connection: Connection) -> str:
    """Where a shop is to send its webhooks; empty where no shop could reach it."""
    public = gateway.settings.address
    reachable = public.startswith("https://") or gateway.settings.allow_private_shops
    return f"{public}/v1/hooks/{connection.id}" if reachable else ""
