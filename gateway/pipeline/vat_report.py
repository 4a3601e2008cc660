"""The VAT report of a period: documents of the ledger added up to the fields of the return, and proved by their XML.

The figures come from what is kept beside each document since it was made. The proof is another way to them: it reads
the amounts out of the bytes that count and adds them up without knowing any field or sign of the report's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway import ubl
from gateway.errors import BadInput, Unknown
from gateway.finding import Text
from gateway.invoice.facts import RIYADH
from gateway.invoice.period import Period
from gateway.invoice.taxed import Taxed, taxed_from, taxed_of
from gateway.invoice.vat_return import By, Entry, Figure, Standing, Tally, adjusts, standing_of, tax_day
from gateway.ledger import Ledger, Place, TaxedRow
from gateway.order import Order, read_order
from gateway.pipeline.vat_proof import Proof

NAMED: Final = 100
"""Documents that a report names of each sort a person has to look at; there may be more."""

LAW: Final[dict[By, Text]] = {
    By.TAX_POINT: Text(
        "By tax point: the earlier of supply (KSA-5) and issue (BT-2); a payment before both has its prepayment"
        " invoice (Unified VAT Agreement, Article 23). Notes by their issue (VAT Regulations, Article 40), continuous"
        " supplies too (Article 20).",
        "بحسب تاريخ الاستحقاق: الأسبق من تاريخ التوريد (KSA-5) وتاريخ الإصدار (BT-2)، وللدفعة السابقة لهما فاتورة"
        " دفعة مقدمة (المادة 23 من الاتفاقية الموحدة). الإشعارات بتاريخ إصدارها (المادة 40 من اللائحة التنفيذية)"
        " وكذلك التوريدات المستمرة (المادة 20).",
    ),
    By.ISSUE: Text(
        "By day of issue (BT-2). The law decides by tax point (Unified VAT Agreement, Article 23): a supply of an"
        " earlier period that is invoiced now belongs there.",
        "بحسب تاريخ الإصدار (BT-2). ويحدد النظام الفترة بتاريخ الاستحقاق (المادة 23 من الاتفاقية الموحدة): التوريد"
        " الذي تم في فترة سابقة وصدرت فاتورته الآن يعود إلى تلك الفترة.",
    ),
}

UNKNOWN: Final = Text(
    "Not in here, for the ledger does not know it: purchases, imports, the reverse charge, sales that were not issued"
    " through this gateway, payments without a prepayment invoice, government payment orders, bad debts, corrections of"
    " earlier returns.",
    "لا يشمل هذا التقرير ما لا يعرفه السجل: المشتريات والاستيراد والاحتساب العكسي والمبيعات التي لم تصدر عبر هذه"
    " البوابة والدفعات التي لم تصدر لها فاتورة دفعة مقدمة وأوامر الصرف الحكومية والديون المعدومة وتصحيحات الإقرارات"
    " السابقة.",
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a taxpayer's period, by which day, of all units or one."""

    taxpayer_id: str
    period: Period
    by: By = By.TAX_POINT
    unit: str = ""


class Named(NamedTuple):
    """A document that a person has to look at."""

    uuid: str
    number: str
    why: str


@dataclass
class VatReport:
    """The answer. `looked_at` names rejected documents, those without an exchange rate, and those that are not what
    their XML says; `proof` is absent if the XML was not asked."""

    question: Question
    made_at: datetime
    tally: Tally = field(default_factory=Tally)
    looked_at: list[Named] = field(default_factory=list)
    shifted: int = 0
    """Documents that count here by their supply and were issued after the period."""
    unreadable: int = 0
    """Documents of which neither what is kept nor the bytes can be read: somebody changed them."""
    proof: Proof | None = None

    def name(self, entry: Entry | TaxedRow, why: str) -> None:
        """Remember a document to look at, as long as they are few."""
        if len(self.looked_at) < NAMED:
            self.looked_at.append(Named(entry.uuid, entry.number, why))

    @property
    def agrees(self) -> bool | None:
        """Whether every document's XML says what the report says; None if it was not asked."""
        return None if self.proof is None else self.proof.agrees and not self.unreadable


Hear = Callable[[Entry, tuple[Figure, ...]], None]


def vat_report(
    ledger: Ledger, question: Question, *, now: datetime, prove: bool = True, hear: Hear = lambda entry, figures: None
) -> VatReport:
    """Add up a period. With `prove` each document is compared with its bytes; `hear` is told of those in a field."""
    report = VatReport(question, now, proof=Proof() if prove else None)
    for row, entry in entries(ledger, question, with_xml=prove):
        if entry is None:
            report.unreadable += 1
            report.name(row, "cannot be read")
            continue
        figures = report.tally.add(entry)
        if entry.standing is Standing.REJECTED:
            report.name(entry, "rejected")
        if entry.standing in (Standing.COUNTED, Standing.OPEN):
            report.shifted += entry.issued_at >= question.period.end
            _prove(report, row, entry, figures)
        if figures:
            hear(entry, figures)
        elif entry.standing is Standing.COUNTED:
            report.name(entry, "no exchange rate")
    if report.proof:
        report.proof.conclude(report.tally)
    return report


def _prove(report: VatReport, row: TaxedRow, entry: Entry, figures: tuple[Figure, ...]) -> None:
    if report.proof is not None and row.xml is not None:
        wrong = report.proof.add(entry, figures, row.xml)
        if wrong:
            report.name(entry, f"differs from its XML: {wrong}")


def entries(
    ledger: Ledger, question: Question, *, after: Place | None = None, with_xml: bool = False
) -> Iterator[tuple[TaxedRow, Entry | None]]:
    """The documents of a period, in the order they were made; None where what one says of VAT cannot be read."""
    period, by = question.period, question.by
    batches = ledger.taxed(
        question.taxpayer_id,
        since=period.begin,
        until=period.end,
        supplied_until=period.last if by is By.TAX_POINT else None,
        unit=question.unit,
        after=after,
        with_xml=with_xml,
    )
    for batch in batches:
        for row in batch:
            try:
                taxed = _taxed(row.taxed, row.xml)
                day = tax_day(row.kind, row.issued_at, taxed, by)
                if day in period:
                    yield row, _entry(ledger, question, row, taxed, day)
            except _UNREADABLE:
                if row.issued_at.astimezone(RIYADH).date() in period:
                    yield row, None


_UNREADABLE: Final = (BadInput, KeyError, ValueError, TypeError, ArithmeticError)


def _taxed(kept: Mapping[str, Any] | None, xml: bytes | None) -> Taxed:
    """What is kept of a document's VAT; of one from before that was kept, what its bytes say."""
    if kept is not None:
        return taxed_from(kept)
    assert xml is not None, "the ledger gives the bytes where it keeps nothing else"
    return taxed_of(ubl.read(xml).invoice)


def _entry(ledger: Ledger, question: Question, row: TaxedRow, taxed: Taxed, day: date) -> Entry:
    return Entry(
        uuid=row.uuid,
        number=row.number,
        kind=row.kind,
        profile=row.profile,
        unit_id=row.unit_id,
        issued_at=row.issued_at,
        made_at=row.made_at,
        day=day,
        standing=standing_of(row.status),
        adjusts=row.kind.is_note and adjusts(row.kind, _original_day(ledger, question, row), question.period),
        buyer_name=row.buyer_name,
        buyer_vat=row.buyer_vat,
        taxed=taxed,
        rate=None if taxed.implied_rate else _rate_of_order(ledger, question.taxpayer_id, row),
    )


def _original_day(ledger: Ledger, question: Question, row: TaxedRow) -> date | None:
    """The day that put the original of a note into its period; of one from elsewhere the day the order says it was
    issued on."""
    original = row.original
    if original is None or row.corrects is None:
        order = _order_of(ledger, question.taxpayer_id, row.uuid)
        return order.corrects.issued_on if order and order.corrects else None
    xml = None if original.taxed else ledger.stamped_xml(question.taxpayer_id, row.corrects)
    return tax_day(original.kind, original.issued_at, _taxed(original.taxed, xml), question.by)


def _rate_of_order(ledger: Ledger, taxpayer_id: str, row: TaxedRow) -> Decimal | None:
    """SAR for one unit, as the order said that the document, or the one it corrects, was made of."""
    for uuid in (row.uuid, row.corrects):
        order = _order_of(ledger, taxpayer_id, uuid) if uuid else None
        if order and order.fx:
            return order.fx.rate
    return None


def _order_of(ledger: Ledger, taxpayer_id: str, uuid: str) -> Order | None:
    """The order that a document was made of; None of a note, which was made of a refund or an addition."""
    try:
        return read_order(ledger.snapshot(taxpayer_id, uuid).order_json)
    except (BadInput, Unknown):
        return None
