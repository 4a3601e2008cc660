"""Zid's merchant API: two credentials for every call, orders by their last change, credit notes, comments, webhooks.

Zid signs no webhook: it calls with the user and password that it was given when the webhook was made. It suspends one
after thirty failures in an hour and drops what was due; made anew, it is healthy again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, Misconfigured, Unknown
from gateway.finding import Text
from gateway.invoice.facts import SAR, Kind
from gateway.issued import Issued
from gateway.stores.exchange import Api
from gateway.stores.raw import identity, lifetime, mapping, moment_or, objects, text, zone_named
from gateway.stores.store import Changed, Changes, Inspection, Walk, moment_in, secret

ADDRESS: Final = "https://api.zid.sa"
OAUTH: Final = "https://oauth.zid.sa"
SECRETS: Final = {
    "authorization": "the partner token (Authorization)",
    "access_token": "the manager token (X-Manager-Token)",
    "refresh_token": "to renew both",
    "client_id": "of the app",
    "client_secret": "of the app",
    "redirect_uri": "of the app",
    "expires_at": "2027-11-28T09:00:00+03:00",
}
OURS: Final = ("webhook_user", "webhook_password")
SWITCH: Final = Text(
    "In the shop's invoice settings, turn off the issuing of invoices by Zid (is_zid_invoice_generation_enabled).",
    "في إعدادات الفواتير في متجر زد، أوقف إصدار الفواتير من زد.",
)
_ORDERS: Final = "/v1/managers/store/orders"
_WEBHOOKS: Final = "/v1/managers/webhooks"
_EVENTS: Final = ("order.create", "order.status.update", "order.payment_status.update")
_PAGE: Final = 100
_LONGEST_COMMENT: Final = 100
_RENEW_BEFORE: Final = timedelta(days=30)


def api_of(connection: Connection, client: httpx2.AsyncClient) -> Api:
    """The API as this connection may use it."""
    headers = {
        "Authorization": f"Bearer {secret(connection, 'authorization').removeprefix('Bearer ')}",
        "X-Manager-Token": secret(connection, "access_token"),
        "Accept-Language": "ar",
    }
    return Api(connection, client, base=connection.base_url or ADDRESS, headers=headers)


# -- connecting -----------------------------------------------------------------------------------------------


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool | None:
    """Whether Zid issues the shop's invoices itself, by the settings that every list of orders carries; None if it does
    not tell."""
    listed = await _listed(connection, client)
    settings = mapping(listed.get("printed_invoice_settings") or listed.get("invoice_settings"))
    answer = settings.get("is_zid_invoice_generation_enabled")
    return answer if isinstance(answer, bool) else None


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The credentials may read orders; whether shown prices are with VAT, as every list of orders says."""
    listed = await _listed(connection, client)
    told = mapping(listed.get("tax_settings")).get("is_vat_included_in_product_price")
    included = bool(told) if isinstance(told, bool | int) else None
    settings = {} if included is None else {"prices_include_tax": "yes" if included else "no"}
    untold = included is None and "prices_include_tax" not in connection.settings
    return Inspection(settings, (_TAX_UNTOLD,) if untold else ())


_TAX_UNTOLD: Final = Text(
    "The shop does not say whether its prices are with VAT; they are taken to be. Set prices_include_tax if not.",
    "لا يذكر المتجر هل الأسعار شاملة الضريبة؛ نعتبرها شاملة. اضبط prices_include_tax إن لم تكن كذلك.",
)


async def _listed(connection: Connection, client: httpx2.AsyncClient) -> Mapping[str, Any]:
    return mapping(await api_of(connection, client).get(_ORDERS, page="1", per_page="1", payload_type="tiny"))


async def subscribe(connection: Connection, client: httpx2.AsyncClient, address: str) -> tuple[str, ...]:
    """A webhook for each event, with our own user and password; one that is broken is made anew."""
    api, done = api_of(connection, client), []
    listed = objects(mapping(await api.get(_WEBHOOKS)).get("data"))
    for event in _EVENTS:
        known = [each for each in listed if (each.get("event"), each.get("target_url")) == (event, address)]
        broken = [each for each in known if text(each.get("health_status")) == "broken"]
        if known and not broken:
            continue
        name = _original_id(address, event)
        if broken:
            await api.send("DELETE", f"{_WEBHOOKS}?original_id={name}", None)
        await api.send("POST", _WEBHOOKS, _webhook(connection, event, address, name))
        done.append(f"{event}: {'was suspended, made anew' if broken else 'made'}")
    return tuple(done)


def _webhook(connection: Connection, event: str, address: str, name: str) -> dict[str, str]:
    return {
        "event": event,
        "target_url": address,
        "original_id": name,
        "username": secret(connection, "webhook_user"),
        "password": secret(connection, "webhook_password"),
    }


def _original_id(address: str, event: str) -> str:
    """Our name of a webhook, by which Zid lets it be deleted."""
    return hashlib.sha256(f"{address} {event}".encode()).hexdigest()[:32]


# -- credentials ----------------------------------------------------------------------------------------------


def ends_at(connection: Connection) -> datetime | None:
    """When the manager token ends, if that was told."""
    return moment_in(connection, "expires_at")


def renew_at(connection: Connection) -> datetime | None:
    """A month before; only where the app's credentials are there to renew it with."""
    ends = ends_at(connection)
    able = all(connection.secrets.get(name) for name in ("refresh_token", "client_id", "client_secret", "redirect_uri"))
    return ends - _RENEW_BEFORE if ends and able else None


async def renew(connection: Connection, client: httpx2.AsyncClient, now: datetime) -> Mapping[str, str]:
    """New tokens for the refresh token, from Zid's own OAuth server."""
    asked = {name: secret(connection, name) for name in ("refresh_token", "client_id", "client_secret", "redirect_uri")}
    api = Api(connection, client, base=connection.settings.get("oauth_url", OAUTH))
    said = mapping(await api.post_form("/oauth/token", {"grant_type": "refresh_token", **asked}))
    tokens = {
        "access_token": text(said.get("access_token")),
        "authorization": text(said.get("authorization") or said.get("Authorization")),
        "refresh_token": text(said.get("refresh_token")),
    }
    if not all(tokens.values()):
        raise Misconfigured(f"Zid renews the credentials of connection {connection.id} without telling new ones.")
    return tokens | {"expires_at": (now + lifetime(said.get("expires_in"), 31_536_000)).isoformat()}


# -- reading --------------------------------------------------------------------------------------------------


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, newest first: what changes meanwhile moves to the front and pushes others onto pages
    still to come, so none is passed over. Zid filters by days; the rest of the first day is left out here."""
    zone = zone_named(connection.settings.get("timezone", ""), "timezone")
    page = int(walk.page or "1")
    listed = await api_of(connection, client).get(
        _ORDERS,
        page=str(page),
        per_page=str(_PAGE),
        payload_type="tiny",
        date_attribute="updated_at",
        date_from=walk.since.astimezone(zone).date().isoformat(),
        order_by="updated_at",
        sort_by="desc",
    )
    rows = [(row, moment_or(row.get("updated_at"), zone, walk.since)) for row in objects(mapping(listed).get("orders"))]
    recent = [(row, at) for row, at in rows if at >= walk.since]
    orders = tuple(Changed(text(row.get("id")), _version(row), at) for row, at in recent)
    newest = max((at for _, at in recent), default=None)
    ended = len(rows) < _PAGE or (not recent and rows == sorted(rows, key=lambda row: row[1], reverse=True))
    return Changes(orders, newest, "" if ended else str(page + 1))


def _version(row: Mapping[str, Any]) -> str:
    return " ".join(text(row.get(name)) for name in ("updated_at", "status", "payment_status"))


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The order's view, with its credit notes beside it."""
    api, path = api_of(connection, client), _path(order_id)
    raw = mapping(await api.get(f"{path}/view"))
    if identity(mapping(raw.get("order")).get("id")) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    return {**raw, "credit_notes": await api.get(f"{path}/credit-notes")}


def _path(order_id: str) -> str:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a Zid order.", fix="It has digits only.")
    return f"{_ORDERS}/{order_id}"


# -- reporting back -------------------------------------------------------------------------------------------


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """A comment for each document and status and one with its link, which is all that Zid lets others write: twenty of
    a hundred letters an order, for good, so no QR; it is on the PDF. The order's history shows what is there."""
    api, path, comment = api_of(connection, client), _path(order_id), _comment(issued)
    if len(comment) > _LONGEST_COMMENT:
        raise BadInput(f"The comment on {issued.number} has {len(comment)} letters; Zid takes {_LONGEST_COMMENT}.")
    order = mapping(mapping(await api.get(f"{path}/view")).get("order"))
    said = [_said(entry) for entry in objects(order.get("histories"))]
    new = [each for each in (comment, *_linked(issued, pdf)) if not any(each in entry for entry in said)]
    for each in new:
        await api.send("POST", f"{path}/add-order-comment", {"comment": each})
    return f"zid order {order_id}: {'comment written' if new else 'nothing new'}"


def _linked(issued: Issued, pdf: str) -> Iterable[str]:
    """The comment with the link: with the number if there is room for it, none if there is not even for the link."""
    fitting = (each for each in (f"{issued.number} {pdf}", pdf) if pdf and len(each) <= _LONGEST_COMMENT)
    return islice(fitting, 1)


def _comment(issued: Issued) -> str:
    kind = {Kind.CREDIT_NOTE: "إشعار دائن", Kind.DEBIT_NOTE: "إشعار مدين"}.get(issued.kind, "فاتورة")
    return f"ZATCA {issued.status.value}: {kind} {issued.number} {issued.total:.2f} {issued.currency or SAR}"


def _said(entry: Mapping[str, Any]) -> str:
    details = mapping(entry.get("changed_by_details"))
    return " ".join(text(each) for each in (entry.get("comment"), details.get("comment"), entry.get("description")))
