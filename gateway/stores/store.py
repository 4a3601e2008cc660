"""What every shop module gives to the rest: a mapped order (Mapper), the notices and exchanges of a whole Store, and
the verbs that only some platforms have.

A webhook is only a hint that an order changed: what is invoiced is fetched by id and mapped, and what a shop says its
sums are is evidence to compare with. Asking what changed closes every gap that webhooks leave.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, DoesNotClose, Misconfigured, Unauthorised
from gateway.finding import Text
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
    """An authentic webhook: what happened, to which order (None: nothing to fetch), and a mark for repeats. `secrets`
    are credentials that the platform delivers so, in place of those of the same names."""

    topic: str
    order_id: str | None
    delivery_id: str
    secrets: Mapping[str, str] = MappingProxyType({})


class Mapped(NamedTuple):
    """A shop's order as the gateway understands it."""

    order: Order
    state: State


class Walk(NamedTuple):
    """Where a walk through a shop's changes stands: from when on it looks, and the platform's own mark of the page to
    read, empty for the first one."""

    since: datetime
    page: str = ""


class Changed(NamedTuple):
    """An order that changed, and when, by the shop's clock; `version` is another one whenever the order is, but for
    changes of one second where the shop counts seconds."""

    order_id: str
    version: str
    at: datetime | None = None


class Changes(NamedTuple):
    """One page of a walk: orders in any order, repeats allowed. `newest` is the latest change among them, `page` the
    mark of the page to go on with (empty: that was the last), `pause` the seconds the shop wants until then."""

    orders: tuple[Changed, ...]
    newest: datetime | None
    page: str = ""
    pause: float = 0.0


class Inspection(NamedTuple):
    """What a shop says of itself when it is connected: settings that follow, and what a person has to look at."""

    settings: Mapping[str, str] = MappingProxyType({})
    look_at: tuple[Text, ...] = ()


class Mapper(Protocol):
    """The pure half of a shop platform: what an order of its says. Its module is the implementation."""

    def state(self, connection: Connection, raw: Mapping[str, Any]) -> State:
        """How far the sale is, readable even where the order itself cannot be used."""

    def map(self, connection: Connection, raw: Mapping[str, Any]) -> Mapped:
        """The order, pure; UnusableOrder says what to correct, DoesNotClose gives both sums."""


class Store(Mapper, Protocol):
    """One shop platform whose webhooks are proved, whose orders are found and fetched, and which is told what became of
    them. `ADDRESS` is where its API is; empty where every shop has its own. `SECRETS` are an example of each secret.

    Exchanges raise Unknown (no such order), Misconfigured (credentials, rights) or Unavailable (later).
    """

    @property
    def ADDRESS(self) -> str: ...  # noqa: N802

    @property
    def SECRETS(self) -> Mapping[str, str]: ...  # noqa: N802

    def verify(self, connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
        """What a webhook says; Unauthorised if its signature is missing or wrong for these exact bytes."""

    async def inspect(self, connection: Connection, client: httpx2.AsyncClient) -> Inspection:
        """Whether the credentials serve, and what the shop says of its taxes."""

    async def changed(self, connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
        """One page of the orders that changed at or after `walk.since`."""

    async def fetch(self, connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
        """The whole order as the shop gives it, refunds too, whatever number of calls it takes."""

    async def report(
        self, connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
    ) -> str:
        """Write what became of the sale to the shop, looking first so that a repeat writes nothing; a short receipt.
        `pdf` is the address at which buyers get the document, always the same one; empty where there is none to give.
        """


@runtime_checkable
class Issuing(Protocol):
    """A platform that can issue to the authority itself; `SWITCH` says how that is turned off."""

    @property
    def SWITCH(self) -> Text: ...  # noqa: N802

    async def issues_itself(self, connection: Connection, client: httpx2.AsyncClient) -> bool | None:
        """Whether this shop does; None if it does not tell."""


@runtime_checkable
class Subscribing(Protocol):
    """A platform whose webhooks can be asked for through its API; `OURS` are the secrets that we think up for them."""

    @property
    def OURS(self) -> tuple[str, ...]: ...  # noqa: N802

    async def subscribe(self, connection: Connection, client: httpx2.AsyncClient, address: str) -> tuple[str, ...]:
        """See to it that the shop sends its webhooks to `address`: what is missing is made, what was disabled is
        enabled. What had to be done, empty if all was well."""


@runtime_checkable
class Summing(Protocol):
    """A platform that tells all that was given back of an order as one sum, which grows; `SUM` is the id of the refund
    that says it."""

    @property
    def SUM(self) -> str: ...  # noqa: N802


@runtime_checkable
class Renewing(Protocol):
    """A platform whose credentials end and can be renewed."""

    def renew_at(self, connection: Connection) -> datetime | None:
        """When to renew them; None if they do not end."""

    def ends_at(self, connection: Connection) -> datetime | None:
        """When they are of no use any more; None if they do not end."""

    async def renew(self, connection: Connection, client: httpx2.AsyncClient, now: datetime) -> Mapping[str, str]:
        """New secrets in place of those of the same names. What is spent for them cannot be spent again."""


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


def moment_in(connection: Connection, name: str) -> datetime | None:
    """A moment kept among the secrets (ISO 8601 with its zone); None where there is none."""
    value = connection.secrets.get(name, "")
    try:
        found = datetime.fromisoformat(value) if value else None
    except ValueError:
        found = None
    if value and (found is None or found.tzinfo is None):
        raise Misconfigured(
            f"The secret '{name}' of connection {connection.id} is not a moment.",
            fix="Write it like 2026-12-11T09:00:00+03:00.",
        )
    return found


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
        sums=(declared, computed),
        ar=f"مجاميع الطلب {number} غير متطابقة: إجمالي المتجر {declared:.2f} {currency}، ومجموع بنوده وخصوماته "
        f"وضريبته {computed:.2f} {currency}. راجع الطلب في المتجر واحفظه من جديد.",
    )
