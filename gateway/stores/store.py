"""What every shop module gives to the rest: a mapped order (Mapper), and the notices and exchanges of a whole Store.

A webhook is only a hint that an order changed: what is invoiced is fetched by id and mapped, and what a shop says its
sums are is evidence to compare with.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, DoesNotClose, Misconfigured, Unauthorised
from gateway.issued import Issued
from gateway.order import Order

MAX_NOTICE: Final = 1_000_000
"""Largest webhook body read, in bytes."""

MAX_GAP: Final = Decimal("0.05")
"""What rounding may leave between the sums that a shop itself states."""


class State(StrEnum):
    """How far a sale has come; when to issue is the taxpayer's policy and decided elsewhere."""

    DRAFT = "draft"
    PENDING = "pending"  # placed, money neither received nor due on delivery yet
    PAID = "paid"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED_PART = "refunded_part"
    REFUNDED = "refunded"
    DELETED = "deleted"


class Notice(NamedTuple):
    """An authentic webhook: what happened, to which order (None: nothing to fetch), and a mark for repeats."""

    topic: str
    order_id: str | None
    delivery_id: str


class Mapped(NamedTuple):
    """A shop's order as the gateway understands it."""

    order: Order
    state: State


class Mapper(Protocol):
    """The pure half of a shop platform: what an order of its says. Its module is the implementation."""

    def state(self, connection: Connection, raw: Mapping[str, Any]) -> State:
        """How far the sale is, readable even where the order itself cannot be used."""

    def map(self, connection: Connection, raw: Mapping[str, Any]) -> Mapped:
        """The order, pure; UnusableOrder says what to correct, DoesNotClose gives both sums."""


class Store(Mapper, Protocol):
    """One shop platform whose webhooks are proved, whose orders are fetched, and which is told what became of them."""

    def verify(self, connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
        """What a webhook says; Unauthorised if its signature is missing or wrong for these exact bytes."""

    async def fetch(self, connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
        """The whole order as the shop gives it; Unknown, Misconfigured (credentials) or Unavailable."""

    async def report(self, connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued) -> str:
        """Write what became of the sale to the shop, looking first so that a repeat writes nothing; a short receipt."""


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value whatever the case of its name; empty if absent."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), "")


def limited(body: bytes) -> bytes:
    """The body, or BadInput if it is larger than any shop's notice."""
    if len(body) > MAX_NOTICE:
        raise BadInput(f"The notice has {len(body)} bytes; at most {MAX_NOTICE} are read.")
    return body


def secret(connection: Connection, name: str) -> str:
    """A secret of the connection; Misconfigured if it was never given."""
    value = connection.secrets.get(name, "")
    if not value:
        raise Misconfigured(
            f"Connection {connection.id} has no secret '{name}'.", fix="Add it to the connection's secrets."
        )
    return value


def state_set(connection: Connection, status: str) -> State | None:
    """What the connection's settings say a shop's own status means, under `status.<slug>`."""
    meant = connection.settings.get(f"status.{status}")
    if meant is None:
        return None
    try:
        return State(meant)
    except ValueError:
        raise Misconfigured(
            f"Connection {connection.id}: status.{status} cannot be {meant!r}.", fix=f"Use one of {', '.join(State)}."
        ) from None


def not_authentic(connection: Connection) -> Unauthorised:
    """The one answer to every notice that does not prove itself, so that it teaches nothing."""
    return Unauthorised(
        f"The notice for connection {connection.id} is not signed with the connection's webhook secret.",
        fix="Enter the same secret in the shop and in the connection.",
    )


def check_closes(number: str, declared: Decimal, computed: Decimal, currency: str) -> None:
    """DoesNotClose if a shop's own parts differ from its own total by more than rounding explains."""
    if abs(declared - computed) > MAX_GAP:
        raise does_not_close(number, declared, computed, currency)


def does_not_close(number: str, declared: Decimal, computed: Decimal, currency: str) -> DoesNotClose:
    """The error that shows both sums."""
    return DoesNotClose(
        f"Order {number} does not close: the shop says {declared:.2f} {currency}, its own lines, discounts and VAT "
        f"come to {computed:.2f} {currency}.",
        fix="Open the order in the shop, look for a changed total or a missing line, and save it again.",
        ar=f"مجاميع الطلب {number} غير متطابقة: إجمالي المتجر {declared:.2f} {currency}، ومجموع بنوده وخصوماته "
        f"وضريبته {computed:.2f} {currency}. راجع الطلب في المتجر واحفظه من جديد.",
    )
