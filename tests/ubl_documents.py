"""Documents that the tests of the UBL room share: one of each sort by hand, and a strategy for any number of others."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st

from gateway.chain import FIRST_PIH, Link
from gateway.invoice.facts import (
    ZERO,
    Address,
    Allowance,
    Category,
    Charge,
    Deduction,
    DocumentCharge,
    Flag,
    Heading,
    Identifier,
    Invoice,
    Kind,
    Line,
    Party,
    Profile,
    Reduction,
    Tax,
)
from gateway.ubl import Content

VAT15 = Tax(Category.STANDARD, Decimal(15))
VAT5 = Tax(Category.STANDARD, Decimal(5))
EXPORT = Tax(Category.ZERO, ZERO, "VATEX-SA-32", "Export of goods | صادرات السلع من المملكة")
MEDICINE = Tax(Category.ZERO, ZERO, "VATEX-SA-35", "Medicines and medical equipment | الأدوية والمعدات الطبية")
INSURANCE = Tax(Category.EXEMPT, ZERO, "VATEX-SA-29-7", "Life insurance services | خدمات التأمين على الحياة")
NOT_SUBJECT = Tax(Category.OUT_OF_SCOPE, ZERO, "VATEX-SA-OOS", "Not subject to VAT | غير خاضع للضريبة")

SELLER = Party(
    "متجر القهوة | Coffee & Co",
    vat="399999999900003",
    id=Identifier("CRN", "1010010000"),
    address=Address("King Fahd Road", "2322", "العليا", "الرياض", "23333"),
)
BUYER = Party(
    "شركة المثال",
    vat="310122393500003",
    address=Address("شارع صلاح الدين", "1111", "المروج", "الرياض", "12222"),
)
ABROAD = Party(
    "Müller <Kaffee> GmbH", id=Identifier("OTH", "DE811"), address=Address("Rue 1", city="Wien", country="AT")
)

HEADING = Heading("RUH1-000123", "8e6000cf-1a98-4174-b3e7-b5d5954bc10d", datetime.fromisoformat("2026-11-23T06:58:12Z"))
LINK = Link(7, FIRST_PIH)


def line(price: str, quantity: str = "1", *reductions: str, tax: Tax = VAT15, id: str = "1") -> Line:  # noqa: A002
    reduced = tuple(Reduction(Decimal(amount), "خصم", "95") for amount in reductions)
    return Line(id, "قهوة مختصة 250g", Decimal(quantity), Decimal(price), tax, reduced, sku="C-1")


STANDARD = Invoice(
    Kind.INVOICE, Profile.STANDARD, SELLER, (line("57.50", "2"),), buyer=BUYER, supply_date=date(2026, 11, 22)
)
SIMPLIFIED = Invoice(Kind.INVOICE, Profile.SIMPLIFIED, SELLER, (line("99.99", "3", "5.00"),), payment_means="48")


def note_on(invoice: Invoice, kind: Kind) -> Invoice:
    return replace(invoice, kind=kind, references=("RUH1-000099", "RUH1-000100"), reason="Goods returned | مرتجع")


DOCUMENTS: Mapping[str, Invoice] = {
    "standard invoice": STANDARD,
    "standard credit note": note_on(STANDARD, Kind.CREDIT_NOTE),
    "standard debit note": note_on(STANDARD, Kind.DEBIT_NOTE),
    "simplified invoice": SIMPLIFIED,
    "simplified credit note": note_on(SIMPLIFIED, Kind.CREDIT_NOTE),
    "simplified debit note": note_on(SIMPLIFIED, Kind.DEBIT_NOTE),
    "standard prepayment": replace(STANDARD, kind=Kind.PREPAYMENT),
    "simplified prepayment": replace(SIMPLIFIED, kind=Kind.PREPAYMENT),
    "export": replace(
        STANDARD, buyer=ABROAD, flags=frozenset({Flag.EXPORT}), lines=(line("15000.00", tax=EXPORT),), currency="USD",
        fx_rate=Decimal("3.75"),
    ),
    "exempt beside standard": replace(
        STANDARD, lines=(line("2000"), line("1000", tax=INSURANCE, id="2")), supply_end=date(2027, 11, 21)
    ),
    "out of scope beside standard": replace(STANDARD, lines=(line("500", tax=NOT_SUBJECT), line("43.48", id="2"))),
    "zero rated, simplified": replace(SIMPLIFIED, lines=(line("10", tax=MEDICINE), line("4.35", id="2"))),
    "foreign currency": replace(STANDARD, currency="EUR", fx_rate=Decimal("4.0725"), note="Net 30 days\nThank you"),
    "summary": replace(
        SIMPLIFIED, buyer=BUYER, flags=frozenset({Flag.SUMMARY}), supply_date=date(2026, 11, 1),
        supply_end=date(2026, 11, 23),
    ),
    "rounding": replace(STANDARD, lines=(line("869.57"),), rounding=Decimal("-0.01")),
    "allowances of two rates": replace(
        STANDARD,
        lines=(line("0.333333", "3000", "9.99", "0.01"), line("80", tax=VAT5, id="2")),
        allowances=(Allowance(Decimal("90.00"), "قسيمة", VAT15, "95"), Allowance(Decimal(8), "Coupon", VAT5)),
    ),
    "charges and a base quantity": replace(
        STANDARD,
        lines=(
            replace(line("12.34", "250"), base_quantity=Decimal(100), charges=(Charge(Decimal(1), "تغليف", "PC"),)),
        ),
        charges=(DocumentCharge(Decimal("25.00"), "Freight | شحن", VAT15, "FC"),),
    ),
    "prepayments deducted": replace(
        STANDARD,
        lines=(line("2000"), line("500", tax=MEDICINE, id="2")),
        deductions=(
            Deduction("3", "Advance | دفعة", "RUH1-000120", HEADING.issued_at, VAT5, Decimal(1000), Decimal(50), "e-1"),
            Deduction("4", "Advance | دفعة", "RUH1-000120", HEADING.issued_at, MEDICINE, Decimal(100), ZERO),
        ),
    ),
    "foreign currency without its rate": replace(STANDARD, currency="EUR", vat_in_sar=Decimal("70.25")),
    "public buyer, continuous supply": replace(
        STANDARD, flags=frozenset({Flag.B2G, Flag.CONTINUOUS}), contract="C-2026-17", order_reference="PO-55"
    ),
}  # fmt: skip
"""One document of each sort, legal to the last rule but for the stamp."""

# What XML can hold, weighted towards what has to be escaped and what the Kingdom writes.
_characters = st.one_of(
    st.sampled_from("&<>\"'\r\n\t \u0085\u2028]\\{}"),
    st.sampled_from("متجر القهوة ١٢٣ 😀☕"),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
)
texts = st.text(_characters, min_size=1, max_size=20)
maybe = texts | st.just("")


def amounts(most: Decimal | str) -> st.SearchStrategy[Decimal]:
    return st.decimals(ZERO, Decimal(most), places=2)


taxes = st.sampled_from([VAT15, VAT5, EXPORT, MEDICINE, INSURANCE, NOT_SUBJECT]) | st.builds(
    Tax, st.just(Category.EXEMPT), st.just(ZERO), st.just("VATEX-SA-30"), texts
)
addresses = st.builds(Address, maybe, maybe, maybe, maybe, maybe, st.sampled_from(["SA", "AE", ""]))
parties = st.builds(Party, texts, maybe, st.none() | st.builds(Identifier, texts, texts), st.none() | addresses)


@st.composite
def _lines(draw: st.DrawFn) -> Line:
    places = draw(st.integers(2, 8))
    price = draw(st.decimals(ZERO, Decimal(100_000), places=places))
    quantity = draw(st.decimals(Decimal("0.001"), Decimal(1000), places=3))
    base = draw(st.just(Decimal(1)) | st.decimals(Decimal("0.01"), Decimal(1000), places=2))
    most = (price * quantity / base / 4).quantize(Decimal("0.01"), "ROUND_DOWN")
    reductions = draw(st.lists(st.builds(Reduction, amounts(most), texts, maybe), max_size=3))
    charges = draw(st.lists(st.builds(Charge, amounts(1000), texts, texts), max_size=2))
    return Line(
        draw(texts), draw(texts), quantity, price, draw(taxes), tuple(reductions), draw(texts), draw(maybe),
        charges=tuple(charges), base_quantity=base,
    )  # fmt: skip


def _deductions() -> st.SearchStrategy[Deduction]:
    return st.builds(Deduction, texts, texts, texts, _moments, taxes, amounts(1000), amounts(200), maybe)


@st.composite
def documents(draw: st.DrawFn) -> Content:
    """Any document whose sums hold; its texts are whatever XML can carry."""
    lines = tuple(draw(st.lists(_lines(), min_size=1, max_size=30)))
    kind = draw(st.sampled_from(Kind))
    currency = draw(st.sampled_from(["SAR", "USD", "KWD"]))
    rate = st.decimals(Decimal("0.0001"), Decimal(20), places=6)
    shows_rate = draw(st.booleans())
    day = st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1))
    invoice = Invoice(
        kind=kind,
        profile=draw(st.sampled_from(Profile)),
        seller=draw(parties),
        buyer=draw(st.none() | parties),
        lines=lines,
        flags=draw(st.frozensets(st.sampled_from(Flag))),
        currency=currency,
        fx_rate=draw(rate) if currency != "SAR" and shows_rate else None,
        vat_in_sar=draw(amounts(9999)) if currency != "SAR" and not shows_rate else None,
        allowances=tuple(draw(st.lists(_allowances(lines), max_size=2))),
        charges=tuple(draw(st.lists(st.builds(DocumentCharge, amounts(1000), texts, taxes, texts), max_size=2))),
        deductions=tuple(draw(st.lists(_deductions(), max_size=2))),
        rounding=draw(st.just(ZERO) | st.decimals(Decimal("-0.05"), Decimal("0.05"), places=2)),
        supply_date=draw(day),
        supply_end=draw(day),
        payment_means=draw(st.sampled_from(["1", "10", "30", "48"])),
        references=tuple(draw(st.lists(texts, min_size=kind.is_note, max_size=3))),
        reason=draw(texts if kind.is_note else maybe),
        note=draw(maybe),
        order_reference=draw(maybe),
        contract=draw(maybe),
    )
    return Content(invoice, draw(_headings), draw(_links))


def _allowances(lines: tuple[Line, ...]) -> st.SearchStrategy[Allowance]:
    on = [st.builds(Allowance, amounts(line.net / 4), texts, st.just(line.tax), maybe) for line in lines]
    return st.one_of(on)


_zones = st.sampled_from([timezone(timedelta(hours=hours)) for hours in (-5, 0, 3, 9)])
_moments = st.builds(datetime.fromtimestamp, st.integers(1_600_000_000, 1_900_000_000), _zones)
_hashes = st.binary(min_size=32, max_size=32).map(lambda digest: b64encode(digest).decode())
_links = st.builds(Link, st.integers(1, 10**12), _hashes)
_headings = st.builds(Heading, texts, texts, _moments)


@st.composite
def figures(draw: st.DrawFn) -> Invoice:
    """Legal documents with any figures: the texts are plain and each category has one reason, as the rules want it."""
    taxes_here = st.sampled_from([VAT15, VAT5, MEDICINE, INSURANCE, NOT_SUBJECT])
    lines = [
        replace(
            each,
            id=str(position),
            name="Coffee",
            unit="PCE",
            tax=draw(taxes_here),
            reductions=each.reductions[:1],
            charges=tuple(replace(charge, reason="Packing", code="PC") for charge in each.charges),
        )
        for position, each in enumerate(draw(st.lists(_lines(), min_size=1, max_size=12)), 1)
    ]
    foreign = draw(st.booleans())
    return replace(
        draw(st.sampled_from([STANDARD, note_on(STANDARD, Kind.CREDIT_NOTE)])),
        lines=tuple(lines),
        allowances=tuple(draw(st.lists(_allowances(tuple(lines)), max_size=2))),
        currency="USD" if foreign else "SAR",
        fx_rate=Decimal("3.75") if foreign else None,
    )
