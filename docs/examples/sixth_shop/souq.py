"""Souq, a platform that does not exist: its API by a key, its webhooks signed with HMAC-SHA256 in X-Souq-Signature.

Secrets: `key`, `webhook`. `base_url` is the shop's address. Settings: status.<status> and those of
gateway/stores/untaxed.py.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import Unknown
from gateway.issued import Issued
from gateway.order import read_order
from gateway.stores.buyer import somebody
from gateway.stores.exchange import Api, parse
from gateway.stores.raw import identity, mapping, moment, moment_or, number, objects, text
from gateway.stores.refunds import Back, Returned, refunds_of
from gateway.stores.refusals import not_an_order
from gateway.stores.sold import Sold, check_total, lines_of
from gateway.stores.store import (
    Changed,
    Changes,
    Inspection,
    Mapped,
    Notice,
    State,
    Walk,
    header,
    limited,
    not_authentic,
    secret,
    state_set,
)
from gateway.stores.untaxed import Supply

ADDRESS: Final = ""
SECRETS: Final = {"key": "of the shop's API", "webhook": "the webhook's secret"}

_STATES: Final = {"paid": State.PAID, "sent": State.FULFILLED, "cancelled": State.CANCELLED}


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """The raw bytes are proved before anything is read from them."""
    limited(body)
    due = hmac.new(secret(connection, "webhook").encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(header(headers, "X-Souq-Signature").encode(), due.encode()):
        raise not_authentic(connection)
    try:
        content = mapping(parse(body))
    except ValueError:
        content = {}
    return Notice(text(content.get("event"))[:100], identity(content.get("order")), hashlib.sha256(body).hexdigest())


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The key may read orders."""
    await _api(connection, client).get("/orders", since="2026-01-01T00:00:00Z", page="1")
    return Inspection()


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, newest first: what changes meanwhile is on no page that is still to come."""
    page = int(walk.page or "1")
    since = walk.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = mapping(await _api(connection, client).get("/orders", since=since, page=str(page)))
    rows = objects(listed.get("orders"))
    found = tuple(
        Changed(text(row.get("id")), text(row.get("changed")), moment_or(row.get("changed"), UTC, walk.since))
        for row in rows
    )
    newest = max((each.at for each in found if each.at), default=None)
    return Changes(found, newest, str(page + 1) if listed.get("more") is True else "")


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The whole order, with its refunds."""
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a Souq order.")
    return dict(mapping(await _api(connection, client).get(f"/orders/{order_id}")))


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the order's status."""
    status = text(raw.get("status"))
    found = state_set(connection, status) or _STATES.get(status, State.PENDING)
    return State.REFUNDED_PART if objects(raw.get("refunds")) and found is not State.CANCELLED else found


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """Prices are with VAT."""
    if not objects(raw.get("lines")):
        raise not_an_order(raw)
    sold = [_sold(line, f"lines[{i}]") for i, line in enumerate(objects(raw["lines"]))]
    check_total(text(raw.get("id")), sold, number(raw.get("total"), "total"), "SAR", gross=True)
    order = read_order(
        {
            "connection": connection.id,
            "id": text(raw.get("id")),
            "version": text(raw.get("changed")),
            "placed_at": moment(text(raw.get("placed")).removesuffix("Z"), "placed", UTC),
            "currency": text(raw.get("currency")),
            "prices_include_tax": True,
            "buyer": somebody(text(raw.get("buyer"))),
            "lines": lines_of(connection.settings, sold, gross=True),
            "refunds": refunds_of(_backs(raw), sold, gross=True),
            "declared": {"grand": number(raw.get("total"), "total")},
        }
    )
    return Mapped(order, state(connection, raw))


def _sold(line: Mapping[str, Any], place: str) -> Sold:
    quantity, price = number(line.get("quantity"), f"{place}.quantity"), number(line.get("price"), f"{place}.price")
    supply = Supply(f"{place}.vat", text(line.get("name")), text(line.get("sku")))
    paid, vat = quantity * price, number(line.get("vat"), f"{place}.vat")
    return Sold(supply, text(line.get("id")), quantity, paid, paid, vat)


def _backs(raw: Mapping[str, Any]) -> Iterable[Back]:
    for i, refund in enumerate(objects(raw.get("refunds"))):
        lines = (
            Returned(text(line.get("line")), number(line.get("quantity"), f"refunds[{i}].quantity"), None)
            for line in objects(refund.get("lines"))
        )
        yield Back(text(refund.get("id")), None, number(refund.get("money"), f"refunds[{i}].money"), "", tuple(lines))


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """One remark for each document and status; those that are there are read first."""
    remark = " ".join(each for each in ("ZATCA:", issued.number, issued.status.value, pdf) if each)
    if remark in (await fetch(connection, client, order_id)).get("remarks", []):
        return f"souq order {order_id}: nothing new"
    await _api(connection, client).send("POST", f"/orders/{order_id}/remarks", {"remark": remark})
    return f"souq order {order_id}: remark written"


def _api(connection: Connection, client: httpx2.AsyncClient) -> Api:
    headers = {"Authorization": f"Bearer {secret(connection, 'key')}"}
    return Api(connection, client, base=f"{connection.base_url.rstrip('/')}/api", headers=headers)


__all__ = ["ADDRESS", "SECRETS", "changed", "fetch", "inspect", "map", "report", "state", "verify"]
