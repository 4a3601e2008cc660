"""Three books held against each other: what shops sold, what was invoiced and the authority accepted, what ERPs posted.

Nothing is computed but sums and differences; every amount is what one of the three says. Credit notes count negative.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.finding import Text
from gateway.invoice.facts import ZERO, Kind
from gateway.issued import Status

_VOID: Final = frozenset({Status.REJECTED, Status.REPLACED})


class Gap(StrEnum):
    """What one of the books lacks, or says otherwise."""

    ORDER_QUARANTINED = "order_quarantined"
    ORDER_WAITING = "order_waiting"
    ORDER_FAILED = "order_failed"
    ORDER_UNSEEN = "order_unseen"
    INVOICE_OPEN = "invoice_open"
    INVOICE_REJECTED = "invoice_rejected"
    POSTING_MISSING = "posting_missing"
    POSTING_OPEN = "posting_open"
    POSTING_HELD = "posting_held"
    POSTING_FAILED = "posting_failed"
    POSTING_DIFFERS = "posting_differs"
    POSTING_ALONE = "posting_alone"


MEANING: Final[dict[Gap, Text]] = {
    Gap.ORDER_QUARANTINED: Text("The order has no invoice: it waits for a person.", "طلب بلا فاتورة، بانتظار مراجعة."),
    Gap.ORDER_WAITING: Text("The order has no invoice yet.", "طلب لم تصدر فاتورته بعد."),
    Gap.ORDER_FAILED: Text("The order has no invoice: it was given up.", "طلب بلا فاتورة، توقفت معالجته."),
    Gap.ORDER_UNSEEN: Text("The shop lists the order, and nothing was ever heard of it.", "طلب في المتجر لم يصل قط."),
    Gap.INVOICE_OPEN: Text("The authority does not have the document yet.", "مستند لم يصل إلى الهيئة بعد."),
    Gap.INVOICE_REJECTED: Text("The authority rejected the document.", "مستند رفضته الهيئة."),
    Gap.POSTING_MISSING: Text("The document does not stand in the ERP.", "مستند غير مقيد في نظام المحاسبة."),
    Gap.POSTING_OPEN: Text("The document is still to be posted.", "مستند لم يُقيد بعد."),
    Gap.POSTING_HELD: Text("The posting waits for a person.", "قيد بانتظار مراجعة."),
    Gap.POSTING_FAILED: Text("The posting was given up.", "قيد توقفت معالجته."),
    Gap.POSTING_DIFFERS: Text("The ERP says another total.", "مجموع القيد يخالف المستند."),
    Gap.POSTING_ALONE: Text("An entry stands for a document that does not count.", "قيد قائم لمستند غير معتمد."),
}


class Ordered(NamedTuple):
    """An order without the invoice that is due; `total` where somebody said it."""

    connection: str
    order_id: str
    gap: Gap
    why: Text
    total: Decimal | None = None
    currency: str = "SAR"


class Entered(NamedTuple):
    """How a document stands in one ERP: the state of its posting, and of the entry there (posted, draft, cancelled)."""

    erp: str
    state: str
    entry_state: str
    entry: str
    total: Decimal | None
    why: Text

    @property
    def stands(self) -> bool:
        """Whether it counts in the ERP's books."""
        return self.entry_state == "posted" and self.total is not None


@dataclass(frozen=True, slots=True)
class Invoiced:
    """A document: `expected` are the ERPs in whose books it is to stand, `entries` how it does."""

    uuid: str
    number: str
    connection: str
    order_id: str
    kind: Kind
    status: Status
    total: Decimal
    currency: str
    expected: tuple[str, ...] = ()
    entries: tuple[Entered, ...] = ()

    def signed(self, amount: Decimal) -> Decimal:
        """An amount of it as it counts in the books."""
        return -amount if self.kind is Kind.CREDIT_NOTE else amount


class Missing(NamedTuple):
    """One gap; amounts are as they count in the books, absent where that book says nothing."""

    gap: Gap
    connection: str
    currency: str
    order_id: str
    number: str = ""
    uuid: str = ""
    erp: str = ""
    ordered: Decimal | None = None
    invoiced: Decimal | None = None
    posted: Decimal | None = None
    why: Text = Text("", "")


@dataclass(slots=True)
class Side:
    """The sums of one connection in one currency. `due` and `posted` are by ERP: what is to stand there, what does."""

    orders: int = 0
    ordered: Decimal = ZERO
    documents: int = 0
    invoiced: Decimal = ZERO
    accepted: Decimal = ZERO
    due: dict[str, Decimal] = field(default_factory=dict)
    posted: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    """What the three books say together."""

    sides: dict[tuple[str, str], Side] = field(default_factory=dict)
    gaps: list[Missing] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.gaps

    def add_order(self, order: Ordered) -> None:
        """An order that has no invoice."""
        side = self._side(order.connection, order.currency)
        side.orders += 1
        side.ordered += order.total or ZERO
        found = Missing(order.gap, order.connection, order.currency, order.order_id)
        self.gaps.append(found._replace(ordered=order.total, why=order.why))

    def add_document(self, document: Invoiced) -> None:
        """A document, with its entries."""
        side = self._side(document.connection, document.currency)
        amount = document.signed(document.total)
        counts = document.status not in _VOID
        side.documents += 1
        side.invoiced += amount if counts else ZERO
        side.accepted += amount if document.status.is_accepted else ZERO
        self.gaps += _verdict(document)
        known = {each.erp: each for each in document.entries}
        for erp in sorted({*known, *(document.expected if counts else ())}):
            self.gaps += _entry(side, document, erp, known.get(erp))

    def _side(self, connection: str, currency: str) -> Side:
        return self.sides.setdefault((connection, currency), Side())


def reconcile(orders: Iterable[Ordered], documents: Iterable[Invoiced]) -> Account:
    """The account of all of them."""
    account = Account()
    for order in orders:
        account.add_order(order)
    for document in documents:
        account.add_document(document)
    return account


def _verdict(document: Invoiced) -> Iterator[Missing]:
    if document.status is Status.REJECTED:
        yield _missing(Gap.INVOICE_REJECTED, document)
    elif not document.status.is_final:
        yield _missing(Gap.INVOICE_OPEN, document)


def _entry(side: Side, document: Invoiced, erp: str, entry: Entered | None) -> Iterator[Missing]:
    """What is wrong with a document in one ERP, whose sums are taken over."""
    posted = document.signed(entry.total) if entry and entry.stands and entry.total is not None else None
    side.posted[erp] = side.posted.get(erp, ZERO) + (posted or ZERO)
    if document.status in _VOID:
        if posted is not None:
            yield _missing(Gap.POSTING_ALONE, document, erp, entry)._replace(invoiced=None, posted=posted)
        return
    if entry and entry.state == "ignored" and posted is None:
        return  # a person decided that nothing is to be posted, or nothing is
    due = document.signed(document.total)
    side.due[erp] = side.due.get(erp, ZERO) + due
    if posted is None:
        yield _missing(_WAITING.get(entry.state if entry else "", Gap.POSTING_MISSING), document, erp, entry)
    elif posted != due:
        yield _missing(Gap.POSTING_DIFFERS, document, erp, entry)._replace(posted=posted)


_WAITING: Final = {"due": Gap.POSTING_OPEN, "held": Gap.POSTING_HELD, "failed": Gap.POSTING_FAILED}


def _missing(gap: Gap, document: Invoiced, erp: str = "", entry: Entered | None = None) -> Missing:
    found = Missing(gap, document.connection, document.currency, document.order_id, document.number, document.uuid, erp)
    return found._replace(invoiced=document.signed(document.total), why=entry.why if entry else Text("", ""))
