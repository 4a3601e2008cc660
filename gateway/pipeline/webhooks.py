"""Events go out: receivers with their secrets, and one delivery sent, signed, and tried again until it is taken.

A delivery that was claimed and not ended is sent again after its lease, with the same webhook-id: a receiver that has
seen the id before does nothing.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
import structlog

from gateway import outbound, webhook
from gateway.errors import BadInput, Conflict, GatewayError, Unknown
from gateway.invoice.facts import RIYADH
from gateway.ledger import Delivery, Event, Webhook, actions_of
from gateway.pipeline.gateway import Gateway, Lines

log = structlog.get_logger()

MOST: Final = 20
"""Webhooks that a taxpayer can have."""
LONGEST_URL: Final = 2000
FORMER_COUNTS: Final = timedelta(hours=24)
"""How long the former secret signs beside a new one."""
LONGEST: Final = 20.0
"""Seconds that a receiver has to answer, all in all."""
PING: Final = "ping"
_GONE: Final = 410
_SHOWN: Final = 300
"""Bytes of a refusal's body that are read and kept."""


def event_json(event: Event) -> dict[str, Any]:
    """An event as receivers and pollers read it: thin, what it is about is fetched."""
    at = event.at.astimezone(RIYADH).isoformat()
    return {"id": event.id, "type": event.type, "timestamp": at, "data": _data(event)}


def _data(event: Event) -> dict[str, Any]:
    if not event.type.startswith("document."):
        return {"id": event.id, "object": event.object, **event.detail}
    return {
        "id": event.id,
        "number": event.number,
        "status": event.type.removeprefix("document."),
        "uuid": event.object,
        "order": {"connection": event.connection, "id": event.order},
        "links": {"invoice": f"/v1/invoices/{event.object}", "xml": f"/v1/invoices/{event.object}/xml"},
    }


def _body(event: Event) -> str:
    shown = event_json(event)
    return webhook.body_of(shown["type"], event.at.astimezone(RIYADH), shown["data"])


# -- receivers


def add_webhook(
    gateway: Gateway,
    taxpayer_id: str,
    url: str,
    types: tuple[str, ...],
    *,
    actor: str,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Webhook, str]:
    """A new receiver and its secret, which is shown this once. BadInput: its address or types cannot be used."""
    actions_of(types)
    if len(url) > LONGEST_URL:
        raise BadInput(f"The address is longer than {LONGEST_URL} characters.")
    if not gateway.settings.allow_private_shops:
        outbound.check_address(url)
    if len(gateway.ledger.webhooks(taxpayer_id)) >= MOST:
        raise Conflict(f"There are {MOST} webhooks already.", fix="Delete one that is not used.")
    webhook_id, secret = f"wh_{random(8).hex()}", webhook.new_secret(random(webhook.SECRET_BYTES))
    # Sealed first: a receiver without a secret must not be there.
    gateway.safe.seal(_secret(taxpayer_id, webhook_id), secret)
    gateway.ledger.add_webhook(webhook_id, taxpayer_id, url=url, types=types, actor=actor, now=gateway.now())
    return gateway.ledger.webhook(taxpayer_id, webhook_id), secret


def rotate(
    gateway: Gateway,
    taxpayer_id: str,
    webhook_id: str,
    *,
    actor: str,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[datetime, str]:
    """A new secret, shown this once, and until when the former one signs beside it."""
    gateway.ledger.webhook(taxpayer_id, webhook_id)
    now, secret = gateway.now(), webhook.new_secret(random(webhook.SECRET_BYTES))
    until = now + FORMER_COUNTS
    place = _secret(taxpayer_id, webhook_id)
    gateway.safe.seal(_former(place), gateway.safe.open(place))
    gateway.ledger.note_rotation(taxpayer_id, webhook_id, former_until=until, actor=actor, now=now)
    gateway.safe.seal(place, secret)
    return until, secret


def delete_webhook(gateway: Gateway, taxpayer_id: str, webhook_id: str, *, actor: str) -> None:
    """Send nothing to it any more, and forget its secrets."""
    gateway.ledger.delete_webhook(taxpayer_id, webhook_id, actor=actor, now=gateway.now())
    place = _secret(taxpayer_id, webhook_id)
    gateway.safe.forget(place)
    gateway.safe.forget(_former(place))


def ping(gateway: Gateway, taxpayer_id: str, webhook_id: str) -> str:
    """Have something delivered that nothing happened for; its id."""
    now, event_id = gateway.now(), f"evt_{gateway.new_id().replace('-', '')}"
    body = webhook.body_of(PING, now.astimezone(RIYADH), {"id": event_id, "webhook": webhook_id})
    gateway.ledger.add_ping(taxpayer_id, webhook_id, event_id=event_id, type_=PING, body=body, now=now)
    return event_id


def webhook_json(found: Webhook) -> dict[str, Any]:
    """A receiver as programs read it; its secret is not in it."""
    return {
        "id": found.id,
        "url": found.url,
        "types": list(found.types),
        "created_at": _shown(found.created_at),
        "former_secret_until": _shown(found.former_until),
        "off_at": _shown(found.off_at),
        "off_reason": found.off_reason,
    }


def delivery_json(found: Delivery) -> dict[str, Any]:
    """A delivery as programs read it, with what the receiver said last."""
    return {
        "id": found.event_id,
        "type": found.type,
        "state": found.state,
        "made_at": _shown(found.made_at),
        "attempts": found.attempts,
        "http_status": found.http_status,
        "error": found.error,
        "changed_at": _shown(found.changed_at),
        "next_at": _shown(found.next_at),
    }


def _shown(at: datetime | None) -> str | None:
    return at.astimezone(RIYADH).isoformat() if at else None


# -- deliveries


def make_deliveries(gateway: Gateway) -> int:
    """Make what is to be delivered of what happened; how many. To be called again and again, by any number of
    workers."""
    return gateway.ledger.make_deliveries(_body, now=gateway.now())


async def deliver(gateway: Gateway, lines: Lines, due: Delivery) -> None:
    """Send one delivery and keep what came of it, or when to try again."""
    status, error = await _attempt(gateway, lines, due)
    now = gateway.now()
    wait = webhook.wait_after(due.attempts + 1)
    next_at = now + wait if error and wait else None
    await gateway.offload(gateway.ledger.end_delivery, due, http_status=status, error=error, next_at=next_at, now=now)
    if status == _GONE:
        await gateway.offload(
            gateway.ledger.disable_webhook, due.taxpayer_id, due.webhook_id, reason="The receiver says 410.", now=now
        )
    if error and (status == _GONE or next_at is None):
        log.warning("webhook_given_up", webhook=due.webhook_id, event=due.event_id, error=error)


async def _attempt(gateway: Gateway, lines: Lines, due: Delivery) -> tuple[int | None, str]:
    """The receiver's status, None if there was none; and what is wrong, empty if it took the delivery."""
    try:
        found, keys = await gateway.offload(_addressed, gateway, due)
        body = due.body.encode()
        signed = webhook.headers(keys, due.event_id, gateway.now(), body)
        async with asyncio.timeout(LONGEST):
            return await _send(lines.outside, found.url, body, signed)
    except TimeoutError:
        return None, f"The receiver did not answer within {LONGEST:.0f} seconds."
    except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
        return None, f"The receiver cannot be reached ({type(failure).__name__})."
    except GatewayError as failure:
        return None, failure.what


async def _send(client: httpx2.AsyncClient, url: str, body: bytes, signed: dict[str, str]) -> tuple[int, str]:
    async with client.stream("POST", url, content=body, headers=signed, follow_redirects=False) as answer:
        if answer.is_success:
            return answer.status_code, ""
        said = b""
        async for part in answer.aiter_bytes():
            said += part[: _SHOWN - len(said)]
            if len(said) >= _SHOWN:
                break
    kind = "redirects, which is not followed" if answer.is_redirect else f"says {answer.status_code}"
    words = "".join(each if each.isprintable() else " " for each in said.decode(errors="replace"))
    return answer.status_code, f"The receiver {kind}. {words}".strip()


def _addressed(gateway: Gateway, due: Delivery) -> tuple[Webhook, list[str]]:
    found = gateway.ledger.webhook(due.taxpayer_id, due.webhook_id)
    place = _secret(due.taxpayer_id, due.webhook_id)
    keys = [gateway.safe.open(place)]
    if found.former_until and found.former_until > gateway.now():
        try:
            keys.append(gateway.safe.open(_former(place)))
        except Unknown:
            log.warning("former_secret_lost", webhook=due.webhook_id)
    return found, keys


def _secret(taxpayer_id: str, webhook_id: str) -> str:
    return f"{taxpayer_id}/webhook/{webhook_id}"


def _former(place: str) -> str:
    return f"{place}/former"
