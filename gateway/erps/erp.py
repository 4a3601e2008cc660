"""What every ERP module gives to the rest: post a document, attach what belongs to it, and say how it stands there.

An ERP's answer is never taken for what happened: whatever it says, its state is read before anything is done again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, Misconfigured
from gateway.finding import Text
from gateway.invoice.facts import Invoice
from gateway.issued import Issued


class PostWhen(StrEnum):
    """When a connection's documents go into its books: the setting `post_when`."""

    ISSUED = "issued"  # as soon as they are made
    FINAL = "final"  # once the authority has accepted them


class Entered(StrEnum):
    """How an entry stands in the books."""

    DRAFT = "draft"
    POSTED = "posted"
    CANCELLED = "cancelled"


class Paid(NamedTuple):
    """Money that was received for a document, or given back with it: a method of gateway.order.Payment."""

    method: str
    amount: Decimal


class File(NamedTuple):
    """A file to attach, by the name that the authority wants."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Booking:
    """One document as it is to stand in the books.

    `issued` says number, UUID, status and `total`, which the entry must come to; `invoice` has the lines. `origin` is
    where it was sold ("salla-1"), `order_name` what people call the order. `corrects` is the entry of the document that
    a note corrects, `corrects_number` its number, known even where the entry is not. `ordered_here` says that the ERP
    sent the order itself: then it has, or will have, an entry of its own, and none is made.
    """

    issued: Issued
    invoice: Invoice
    origin: str
    order_name: str
    payments: tuple[Paid, ...] = ()
    corrects: "str | None" = None
    corrects_number: str = ""
    ordered_here: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What an ERP has of a document; `id` is its own name for the record, `number` what people read."""

    id: str
    number: str
    state: Entered
    total: Decimal
    paid: bool = False
    url: str = ""


class Inspection(NamedTuple):
    """What an ERP says of itself when it is connected: settings that follow, and what a person has to look at."""

    settings: Mapping[str, str] = MappingProxyType({})
    look_at: tuple[Text, ...] = ()


class Erp(Protocol):
    """One kind of ERP; its module is the implementation, its docstring lists settings and secrets. `SECRETS` are an
    example of each secret, `SWITCH` says how its own e-invoicing is turned off.

    Exchanges raise Misconfigured (credentials, rights), Unavailable (later; it may or may not have been done), or
    BadInput and its kin for what a person has to decide, in both languages.
    """

    @property
    def SECRETS(self) -> Mapping[str, str]: ...  # noqa: N802

    @property
    def SWITCH(self) -> Text: ...  # noqa: N802

    async def issues_itself(self, connection: Connection, client: httpx2.AsyncClient) -> bool | None:
        """Whether it sends invoices to the authority itself; None if it does not tell."""

    async def inspect(self, connection: Connection, client: httpx2.AsyncClient) -> Inspection:
        """Whether the credentials serve and accounts, journals and taxes are there; what they are, as settings.
        BadInput names what is missing and how to make it."""

    async def state(self, connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry | None:
        """What it has of this document, found by our own mark; None if nothing. Nothing is written."""

    async def post(self, connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry:
        """See to it that the document stands in the books once, equal to the halala, and that its payments are
        registered; what stands already is left. BadInput if sums differ: then nothing is posted. Of a document that was
        ordered here the entry is only found; Unavailable while there is none."""

    async def attach(
        self,
        connection: Connection,
        client: httpx2.AsyncClient,
        booking: Booking,
        entry: Entry,
        files: tuple[File, ...],
    ) -> str:
        """Attach the files and write the status, each once however often this is asked; a short receipt. The entry of
        a document that was replaced is taken out of the books, as far as the gateway made it."""


_POLICY: Final = "post_when"


def post_when(connection: Connection) -> PostWhen:
    """The connection's policy, `final` where it does not say; BadInput if it names another."""
    said = connection.settings.get(_POLICY, PostWhen.FINAL.value)
    try:
        return PostWhen(said)
    except ValueError:
        raise BadInput(
            f"{_POLICY} of connection {connection.id} is {said!r}.",
            fix="Use issued (as soon as a document is made) or final (once the authority has accepted it).",
            ar=f"قيمة {_POLICY} في الربط {connection.id} غير معروفة. استخدم issued أو final.",
        ) from None


def secret(connection: Connection, name: str) -> str:
    """A secret of the connection; Misconfigured if it was never given."""
    value = connection.secrets.get(name, "")
    if not value:
        raise Misconfigured(
            f"Connection {connection.id} has no secret '{name}'.", fix="Add it to the connection's secrets."
        )
    return value


def totals_differ(booking: Booking, total: Decimal, *, why: Text) -> BadInput:
    """The error that shows both sums; `why` says what to change in the ERP."""
    issued = booking.issued
    return BadInput(
        f"{issued.number} comes to {issued.total:.2f} {issued.currency}, in the ERP it would be {total:.2f}: nothing"
        " was posted.",
        fix=f"{why.en} Then have it posted again.",
        ar=f"إجمالي المستند {issued.number} هو {issued.total:.2f} {issued.currency} بينما يحسبه نظام ERP"
        f" {total:.2f}، ولذلك لم يُرحَّل. {why.ar} ثم أعد الترحيل.",
    )
