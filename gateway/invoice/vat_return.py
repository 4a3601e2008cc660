"""The sales side of the VAT return: which documents count in a period, in which field, with which sign.

The names of the fields are those of the form; its numbers are not used, for they changed with it. Sources: the date
that decides, Unified VAT Agreement Article 23 (the earliest of supply, invoice and payment); notes, VAT Implementing
Regulations Article 40; the fields, the form itself as ZATCA publishes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.finding import Text
from gateway.invoice.facts import RIYADH, ZERO, Category, Flag, Kind, Profile, Tax
from gateway.invoice.period import Period
from gateway.invoice.taxed import Portion, Taxed, in_sar
from gateway.issued import Status


class By(StrEnum):
    """Which day puts a document into a period."""

    TAX_POINT = "tax-point"
    ISSUE = "issue"


class Box(StrEnum):
    """The fields of the return that sales go to; what is outside goes to none."""

    STANDARD = "standard"
    GOVERNMENT = "government"
    CITIZENS = "citizens"
    ZERO_DOMESTIC = "zero-domestic"
    EXPORTS = "exports"
    EXEMPT = "exempt"
    OUTSIDE = "outside"


BOXES: Final[dict[Box, Text]] = {
    Box.STANDARD: Text("Standard-rated sales", "المبيعات الخاضعة للنسبة الأساسية"),
    Box.GOVERNMENT: Text(
        "Standard-rated sales to government entities", "المبيعات الخاضعة للنسبة الأساسية للجهات الحكومية"
    ),
    Box.CITIZENS: Text(
        "Sales to citizens: healthcare, education, first house",
        "المبيعات للمواطنين: الخدمات الصحية الخاصة والتعليم الأهلي والمسكن الأول",
    ),
    Box.ZERO_DOMESTIC: Text("Zero-rated domestic sales", "المبيعات المحلية الخاضعة للنسبة الصفرية"),
    Box.EXPORTS: Text("Exports", "الصادرات"),
    Box.EXEMPT: Text("Exempt sales", "المبيعات المعفاة من الضريبة"),
    Box.OUTSIDE: Text("Out of scope, in no field", "خارج نطاق الضريبة ولا تدخل في الإقرار"),
}

_TO_CITIZENS: Final = frozenset({"VATEX-SA-EDU", "VATEX-SA-HEA"})
_EXPORTED: Final = frozenset({"VATEX-SA-32", "VATEX-SA-33"})


class Standing(StrEnum):
    """What a document's status means for the return."""

    COUNTED = "counted"  # accepted by the authority
    OPEN = "open"  # issued, and the authority does not have it
    REJECTED = "rejected"
    REPLACED = "replaced"  # the document in its place counts


def standing_of(status: Status) -> Standing:
    """Whether a document of this status counts."""
    if status.is_accepted:
        return Standing.COUNTED
    others = {Status.REJECTED: Standing.REJECTED, Status.REPLACED: Standing.REPLACED}
    return others.get(status, Standing.OPEN)


def box_of(tax: Tax, taxed: Taxed) -> Box:
    """The field a portion belongs to."""
    match tax.category:
        case Category.STANDARD:
            return Box.GOVERNMENT if taxed.has(Flag.B2G) else Box.STANDARD
        case Category.EXEMPT:
            return Box.EXEMPT
        case Category.OUT_OF_SCOPE:
            return Box.OUTSIDE
    if tax.reason_code in _TO_CITIZENS:
        return Box.CITIZENS
    exported = tax.reason_code in _EXPORTED or taxed.has(Flag.EXPORT)
    return Box.EXPORTS if exported else Box.ZERO_DOMESTIC


def tax_day(kind: Kind, issued_at: datetime, taxed: Taxed, by: By) -> date:
    """The day (Riyadh) that decides on the period.

    By tax point the earlier of supply and issue; a payment before both has a prepayment invoice of its own. Notes go by
    their issue, for the ledger does not know the event; so do continuous supplies, whose supply date is the beginning
    of a time (Regulations Article 20).
    """
    issued_on = issued_at.astimezone(RIYADH).date()
    if by is By.ISSUE or kind.is_note or taxed.supplied_on is None or taxed.has(Flag.CONTINUOUS):
        return issued_on
    return min(issued_on, taxed.supplied_on)


class Part(StrEnum):
    """What a figure of a document is."""

    SUPPLY = "supply"
    DEDUCTION = "prepayment deducted"  # its VAT was due when the prepayment was received


class Figure(NamedTuple):
    """One amount of a document in a field, signed, in SAR; `foreign` are taxable amount and VAT as they stand in it."""

    box: Box
    part: Part
    tax: Tax
    taxable: Decimal
    vat: Decimal
    foreign: tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Entry:
    """A document as the return sees it. `adjusts`: it is a note on what an earlier period reported. `rate` is that of
    the order, where neither the document nor its VAT tell the exchange."""

    uuid: str
    number: str
    kind: Kind
    profile: Profile
    unit_id: str
    issued_at: datetime
    made_at: datetime
    day: date
    standing: Standing
    adjusts: bool
    buyer_name: str
    buyer_vat: str
    taxed: Taxed
    rate: Decimal | None = None

    @property
    def sign(self) -> int:
        """A credit note takes back what was reported; its amounts are positive (BR-KSA-F-04)."""
        return -1 if self.kind is Kind.CREDIT_NOTE else 1

    def figures(self) -> tuple[Figure, ...] | None:
        """Its amounts by field; None if nobody knows its exchange rate."""
        exchanged = in_sar(self.taxed, self.rate)
        if exchanged is None:
            return None
        portions, deducted = exchanged
        supplied = self._figures(Part.SUPPLY, self.sign, portions, self.taxed.portions)
        return (*supplied, *self._figures(Part.DEDUCTION, -self.sign, deducted, self.taxed.deducted))

    def _figures(
        self, part: Part, sign: int, local: tuple[Portion, ...], stated: tuple[Portion, ...]
    ) -> Iterator[Figure]:
        for each, as_stated in zip(local, stated, strict=True):
            foreign = sign * as_stated.taxable, sign * as_stated.vat
            box = box_of(each.tax, self.taxed)
            yield Figure(box, part, each.tax, sign * each.taxable, sign * each.vat, foreign)


class Group(NamedTuple):
    """By what figures are put together; everything shown is a sum over some of these."""

    standing: Standing
    box: Box
    part: Part
    kind: Kind
    profile: Profile
    category: Category
    rate: Decimal
    reason_code: str
    currency: str
    adjusts: bool
    exported: bool


@dataclass
class Sums:
    """How many documents, and what they come to: in SAR, and in their own currency."""

    documents: int = 0
    taxable: Decimal = ZERO
    vat: Decimal = ZERO
    foreign_taxable: Decimal = ZERO
    foreign_vat: Decimal = ZERO

    def add(self, figure: Figure) -> None:
        """One figure more."""
        self.taxable += figure.taxable
        self.vat += figure.vat
        self.foreign_taxable += figure.foreign[0]
        self.foreign_vat += figure.foreign[1]


class BoxKey(NamedTuple):
    """A field of the return; standard-rated sales stand in one for each rate."""

    standing: Standing
    box: Box
    rate: Decimal


@dataclass
class BoxSums:
    """What stands in a field: sales of the period, adjustments of what earlier ones reported, the VAT of both."""

    documents: int = 0
    amount: Decimal = ZERO
    adjustment: Decimal = ZERO
    vat: Decimal = ZERO

    def add(self, figure: Figure, *, adjusts: bool) -> None:
        """One figure more."""
        if adjusts:
            self.adjustment += figure.taxable
        else:
            self.amount += figure.taxable
        self.vat += figure.vat


@dataclass
class Tally:
    """Documents added up; it does not grow with their number, but for the lists of those a person has to look at."""

    groups: dict[Group, Sums] = field(default_factory=dict)
    boxes: dict[BoxKey, BoxSums] = field(default_factory=dict)
    standings: dict[Standing, int] = field(default_factory=lambda: dict.fromkeys(Standing, 0))
    unexchanged: int = 0
    """Documents whose exchange rate nobody knows; they are in no field."""

    def add(self, entry: Entry) -> tuple[Figure, ...]:
        """One more document; the figures that it brought."""
        self.standings[entry.standing] += 1
        if entry.standing not in (Standing.COUNTED, Standing.OPEN):
            return ()
        figures = entry.figures()
        if figures is None:
            self.unexchanged += 1
            return ()
        groups, boxes = set(), set()
        for figure in figures:
            group, box = group_of(entry, figure), BoxKey(entry.standing, figure.box, figure.tax.rate)
            self.groups.setdefault(group, Sums()).add(figure)
            self.boxes.setdefault(box, BoxSums()).add(figure, adjusts=entry.adjusts)
            groups.add(group)
            boxes.add(box)
        for group in groups:
            self.groups[group].documents += 1
        for box in boxes:
            self.boxes[box].documents += 1
        return figures


def group_of(entry: Entry, figure: Figure) -> Group:
    """Where a figure of a document is added."""
    return Group(
        standing=entry.standing,
        box=figure.box,
        part=figure.part,
        kind=entry.kind,
        profile=entry.profile,
        category=figure.tax.category,
        rate=figure.tax.rate,
        reason_code=figure.tax.reason_code,
        currency=entry.taxed.currency,
        adjusts=entry.adjusts,
        exported=entry.taxed.has(Flag.EXPORT),
    )


def adjusts(kind: Kind, original: date | None, period: Period) -> bool:
    """Whether a document corrects what an earlier period reported; an original of an unknown day is taken for
    earlier."""
    return kind.is_note and (original is None or original < period.first)
