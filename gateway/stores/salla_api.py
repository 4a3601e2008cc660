"""Salla's Admin API: orders by their last change, items, invoices given to the shop, webhooks, and an access token that
is renewed by a refresh token which can be spent once: two who spend it at the same time lose the shop.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable, Unknown
from gateway.finding import Text
from gateway.invoice.facts import ZERO, Kind
from gateway.issued import Issued
from gateway.stores.exchange import Api, pages
from gateway.stores.raw import identity, lifetime, mapping, moment_or, number, objects, text, zone_named
from gateway.stores.salla_sums import money
from gateway.stores.store import MAX_GAP, Changed, Changes, Inspection, Walk, moment_in, secret

ADDRESS: Final = "https://api.salla.dev/admin/v2"
OAUTH: Final = "https://accounts.salla.sa"
SECRETS: Final = {
    "access_token": "of the app in this shop",
    "webhook": "the app's webhook secret",
    "refresh_token": "to renew the access token",
    "client_id": "of the app",
    "client_secret": "of the app",
    "expires_at": "2026-12-11T09:00:00+03:00",
}
OURS: Final = ()
SWITCH: Final = Text(
    "In the shop's settings of orders and invoices, set the invoice provider to custom.",
    "في إعدادات الطلبات والفواتير في متجر سلة، اجعل مزود إصدار الفواتير «مخصص».",
)
EVENTS: Final = ("order.created", "order.updated", "order.status.updated", "order.cancelled", "order.refunded")
_INVOICES: Final = "/settings/fields/orders.invoices_customization"  # needs the scope store-settings.read
_PAGE: Final = 60
_RENEW_BEFORE: Final = timedelta(days=4)
"""Long enough that a person can help while the old token still serves."""


def api_of(connection: Connection, client: httpx2.AsyncClient) -> Api:
    """The API as this connection may use it."""
    headers = {"Authorization": f"Bearer {secret(connection, 'access_token')}"}
    return Api(connection, client, base=connection.base_url or ADDRESS, headers=headers)


# -- connecting -----------------------------------------------------------------------------------------------


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool | None:
    """Whether the shop issues its invoices by a provider of Salla's, not by us; None if it does not tell.

    Salla takes our figures only where its provider is "custom". Its answer's shape is not published, so only a field
    that is named for the provider counts.
    """
    said = mapping(mapping(await api_of(connection, client).get(_INVOICES)).get("data"))
    provider = next((text(said[name]) for name in ("invoice_provider", "provider") if said.get(name)), "")
    return provider.lower() != "custom" if provider else None


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The token may read orders; whether the newest one was charged VAT. Webhooks may be the Partner Portal's alone."""
    api = api_of(connection, client)
    rows = objects(mapping(await api.get("/orders", per_page="1", sort_by="updated_at-desc")).get("data"))
    if not rows:
        return Inspection()
    newest = mapping(mapping(await api.get(_path(text(rows[0].get("id"))))).get("data"))
    percent = mapping(mapping(newest.get("amounts")).get("tax")).get("percent") or 0
    return Inspection(look_at=() if number(percent, "amounts.tax.percent") else (_NO_VAT,))


_NO_VAT: Final = Text(
    "The shop's newest order was charged no VAT: switch VAT on in Salla, or such orders will wait in the quarantine.",
    "لم تحتسب ضريبة على أحدث طلب في المتجر. فعّل الضريبة في سلة وإلا بقيت هذه الطلبات معلقة.",
)


async def subscribe(connection: Connection, client: httpx2.AsyncClient, address: str) -> tuple[str, ...]:
    """A webhook for each event; asked for again, Salla replaces the one with the same address."""
    api, done = api_of(connection, client), []
    listed = objects(mapping(await api.get("/webhooks")).get("data"))
    known = {text(each.get("event")) for each in listed if text(each.get("url")) == address}
    for event in EVENTS:
        if event not in known:
            await api.send("POST", "/webhooks/subscribe", _webhook(connection, event, address))
            done.append(f"{event}: made")
    return tuple(done)


def _webhook(connection: Connection, event: str, address: str) -> dict[str, Any]:
    return {
        "name": f"gateway {event}",
        "event": event,
        "url": address,
        "version": 2,
        "security_strategy": connection.settings.get("webhook_strategy", "signature"),
        "secret": secret(connection, "webhook"),
    }


# -- credentials ----------------------------------------------------------------------------------------------


def ends_at(connection: Connection) -> datetime | None:
    """When the access token ends, if that was told."""
    return moment_in(connection, "expires_at")


def renew_at(connection: Connection) -> datetime | None:
    """Some days before it ends; only where the refresh token and the app's credentials are there."""
    ends = ends_at(connection)
    able = all(connection.secrets.get(name) for name in ("refresh_token", "client_id", "client_secret"))
    return ends - _RENEW_BEFORE if ends and able else None


async def renew(connection: Connection, client: httpx2.AsyncClient, now: datetime) -> Mapping[str, str]:
    """A new pair of tokens; the refresh token is spent by it. Misconfigured if Salla takes it no more."""
    asked = {name: secret(connection, name) for name in ("refresh_token", "client_id", "client_secret")}
    api = Api(connection, client, base=connection.settings.get("oauth_url", OAUTH))
    try:
        said = await api.post_form("/oauth2/token", {"grant_type": "refresh_token", **asked})
    except BadInput as error:
        raise Misconfigured(error.what) from error
    told = mapping(said)
    ends = now + lifetime(told.get("expires_in"), 1_209_600)
    return tokens_in(told) | {"expires_at": ends.isoformat()}


def authorised(connection: Connection, data: Mapping[str, Any]) -> dict[str, str]:
    """The tokens that Salla delivers when the app is installed (`app.store.authorize`), with when they end; none if
    they end no later than those that are known: then the delivery is an old one, sent again."""
    ends = data.get("expires")
    if not isinstance(ends, int) or isinstance(ends, bool):
        raise BadInput("The notice app.store.authorize does not say when its tokens end.")
    told, known = datetime.fromtimestamp(ends, UTC), ends_at(connection)
    return {} if known and told <= known else tokens_in(data) | {"expires_at": told.isoformat()}


def tokens_in(told: Mapping[str, Any]) -> dict[str, str]:
    """Access and refresh token; Misconfigured if one is missing."""
    tokens = {name: text(told.get(name)) for name in ("access_token", "refresh_token")}
    if not all(tokens.values()):
        raise Misconfigured("Salla's OAuth answer has no access token or no refresh token.")
    return tokens


# -- reading --------------------------------------------------------------------------------------------------


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, newest first. Rows do not say when that was, so some orders are opened: the first of
    the walk, the last of each page, and by halves those between, until it is clear where the known ones begin.

    Whatever changes moves to the front: the first one's moment tells whether anything did, and is every row's version.
    """
    api = api_of(connection, client)
    number_of_page, _, version = (walk.page or "1 ").partition(" ")
    answer = await api.page("/orders", {"sort_by": "updated_at-desc", "per_page": str(_PAGE), "page": number_of_page})
    rows = [text(row.get("id")) for row in objects(mapping(answer.content).get("data"))]
    pause = 1.0 if answer.headers.get("X-RateLimit-Remaining") in ("0", "1") else 0.0
    newest = await _changed_at(api, rows[0], walk.since) if rows and not version else None
    if not rows or (newest is not None and newest < walk.since):
        return Changes((), None, "", pause)
    recent = await _recent(api, rows, walk.since)
    mark = version or str(newest)
    further = f"{int(number_of_page) + 1} {mark}" if recent == len(rows) == _PAGE else ""
    return Changes(tuple(Changed(order, mark, newest) for order in rows[:recent]), newest, further, pause)


async def _recent(api: Api, rows: list[str], since: datetime) -> int:
    """How many of these orders, sorted by their last change, changed since then."""
    if await _changed_at(api, rows[-1], since) >= since:
        return len(rows)
    known_recent, known_old = 0, len(rows) - 1
    while known_recent < known_old:
        middle = (known_recent + known_old) // 2
        if await _changed_at(api, rows[middle], since) >= since:
            known_recent = middle + 1
        else:
            known_old = middle
    return known_recent


async def _changed_at(api: Api, order_id: str, since: datetime) -> datetime:
    """When an order was changed; one that does not say so, or is gone by now, counts as changed since."""
    try:
        order = mapping(mapping(await api.get(_path(order_id), format="light")).get("data"))
    except Unknown:
        return since
    stamp = mapping(order.get("updated_at")) or mapping(order.get("date"))
    return moment_or(stamp.get("date"), zone_named(text(stamp.get("timezone")), "updated_at"), since)


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The whole order by its id, its items too where the shop gives them apart."""
    api = api_of(connection, client)
    raw = mapping(mapping(await api.get(_path(order_id))).get("data"))
    if identity(raw.get("id")) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    if objects(raw.get("items")):
        return dict(raw)
    items = mapping(await api.get("/orders/items", order_id=order_id)).get("data")
    return {**raw, "items": objects(items)}


def _path(order_id: str) -> str:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a Salla order.", fix="It has digits only.")
    return f"/orders/{order_id}"


# -- reporting back -------------------------------------------------------------------------------------------

_REFUSED: Final = frozenset({422})


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """Give the shop the accepted document's figures, and a note in the order's history that says what became of it,
    with QR and link. Salla keeps both for good, so nothing is written before it is final. Looked up first.
    """
    if not issued.status.is_final:
        return f"salla order {order_id}: nothing to write while {issued.status.value}"
    api = api_of(connection, client)
    notes = await _notes(api, order_id)
    written = []
    if issued.status.is_accepted and await _give_figures(connection, api, order_id, issued, notes):
        written.append(f"{_type(issued)} {issued.number}")
    note = _note(issued, pdf)
    if note not in notes:
        await api.send("POST", f"{_path(order_id)}/histories", {"note": note})
        written.append("note")
    return f"salla order {order_id}: {' and '.join(written) + ' written' if written else 'nothing new'}"


async def _notes(api: Api, order_id: str) -> list[str]:
    """What was noted in the order's history."""
    path, found = f"{_path(order_id)}/histories", []
    for page in pages():
        listed = objects(mapping(await api.get(path, per_page=str(_PAGE), page=str(page))).get("data"))
        found += [text(each.get("note")) for each in listed]
        if len(listed) < _PAGE:
            break
    return found


def _note(issued: Issued, pdf: str) -> str:
    more = "".join(f" {name}: {value}" for name, value in (("PDF", pdf), ("QR", issued.qr)) if value)
    return f"ZATCA: {issued.number} {issued.status.value} {_facts(issued)}{more}"


def _facts(issued: Issued) -> str:
    kind = {Kind.CREDIT_NOTE: "الإشعار الدائن", Kind.DEBIT_NOTE: "الإشعار المدين"}.get(issued.kind, "الفاتورة")
    return f"({kind} {issued.total:.2f} {issued.currency})."


def _noted_alike(issued: Issued, notes: Iterable[str]) -> int:
    """How many other documents of the same kind and total the order's history tells of."""
    numbers = {note.split()[1] for note in notes if note.startswith("ZATCA: ") and _facts(issued) in note}
    return len(numbers - {issued.number})


async def _give_figures(connection: Connection, api: Api, order_id: str, issued: Issued, notes: Sequence[str]) -> bool:
    """Whether the document had to be given; a refusal as a duplicate is looked up again, for another attempt may have
    been faster."""
    if await _is_there(api, order_id, issued, notes):
        return False
    amounts = mapping(mapping(mapping(await api.get(_path(order_id))).get("data")).get("amounts"))
    answer = await api.send("POST", "/orders/invoices", _figures(order_id, issued, amounts), refusals=_REFUSED)
    if answer.status in _REFUSED:
        await _explain(connection, api, issued, notes, answer.content)
    return answer.status not in _REFUSED


def _kind_of(invoice: Mapping[str, Any]) -> str:
    """Salla writes in lists what it takes as tax_invoice: Tax Invoice."""
    return text(invoice.get("type")).lower().replace(" ", "_")


def _type(issued: Issued) -> str:
    return "credit_note" if issued.kind.is_note else "tax_invoice"


async def _is_there(api: Api, order_id: str, issued: Issued, notes: Sequence[str]) -> bool:
    """Whether the shop has this document. It shows no number of ours, but keeps only one invoice per order; of credit
    notes that are equal, those that the history tells of are other ones."""
    listed = objects(mapping(await api.get("/orders/invoices", order_id=order_id)).get("data"))
    alike = [
        invoice
        for invoice in listed
        if _kind_of(invoice) == _type(issued) and identity(invoice.get("order_id")) == order_id
    ]
    equal = [invoice for invoice in alike if abs(money(invoice.get("total")) - issued.total) <= MAX_GAP]
    if issued.kind.is_note and not any(_kind_of(invoice) == "tax_invoice" for invoice in listed):
        raise Unavailable(
            f"Salla takes {issued.number} only after the invoice of order {order_id}, which it does not have yet.",
            retry_after=60.0,
        )
    if alike and not equal and not issued.kind.is_note:
        raise Conflict(
            f"Salla order {order_id} already has a tax invoice with another total than {issued.number}.",
            fix="Find out who issued it; two issuers for one sale must not both go on.",
            ar=f"للطلب {order_id} في سلة فاتورة ضريبية أخرى بإجمالي مختلف عن {issued.number}. تحقق من جهة إصدارها.",
        )
    return len(equal) > (_noted_alike(issued, notes) if issued.kind.is_note else 0)


def _figures(order_id: str, issued: Issued, amounts: Mapping[str, Any]) -> dict[str, Any]:
    """A credit note's shipping and collection fee are inside its subtotal: what was returned is not told apart."""
    whole = not issued.kind.is_note
    shipping = money(amounts.get("shipping_cost")) if whole else ZERO
    on_delivery = money(amounts.get("cash_on_delivery")) if whole else ZERO
    net = issued.total - issued.rounding - issued.vat
    rate = number(mapping(amounts.get("tax")).get("percent", 0), "amounts.tax.percent")
    figures = {
        "sub_total": net - shipping - on_delivery,
        "total": issued.total,
        "shipping_cost": shipping,
        "cash_on_delivery_cost": on_delivery,
        "tax": rate,
        "tax_value": issued.vat,
    }
    return {
        "order_id": int(order_id),
        "type": _type(issued),
        "data_type": "data",
        "invoice_number": issued.number,
        # Salla takes JSON numbers; two decimals survive the shortest form of a float.
        **{name: float(amount) for name, amount in figures.items()},
    }


async def _explain(connection: Connection, api: Api, issued: Issued, notes: Sequence[str], content: Any) -> None:
    """Nothing if the refusal means that the document is there; else the error that says what to do."""
    fields = mapping(mapping(mapping(content).get("error")).get("fields")) or mapping(mapping(content).get("fields"))
    if fields.keys() & {"invoice_provider", "data_type"}:
        raise Misconfigured(
            f"The shop of connection {connection.id} issues its own invoices, so Salla refuses ours.",
            fix="Set the shop's invoice issuing to custom, and make sure that only one side issues to the authority.",
            ar="إصدار الفواتير في المتجر يتبع المزود الافتراضي. غيّره إلى مخصص،"
            " وتأكد أن جهة واحدة فقط تصدر الفواتير للهيئة.",
        )
    if fields.keys() & {"type", "order", "invoice_number"} and await _is_there(api, issued.order_id, issued, notes):
        return
    if "order_id" in fields:
        raise Unknown(f"Salla does not know order {issued.order_id}.")
    named = ", ".join(sorted(fields)) or "no field"
    raise BadInput(f"Salla refuses document {issued.number} for order {issued.order_id} (it names {named}).")
