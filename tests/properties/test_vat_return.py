"""The VAT report against an oracle in fractions, over documents of every kind, currency, category and day.

The oracle reads the rendered XML by names alone and knows neither what the ledger keeps nor the report's arithmetic.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import ubl
from gateway.errors import Unknown
from gateway.invoice.facts import RIYADH, ZERO, Category, Deduction, Flag, Heading, Invoice, Kind, Profile, Tax
from gateway.invoice.period import read_period
from gateway.invoice.taxed import taxed_from, taxed_json, taxed_of
from gateway.invoice.vat_return import Box, By, Standing
from gateway.issued import Status
from gateway.ledger.taxed import Original, TaxedRow
from gateway.pipeline.vat_json import boxes, documents_behind, groups
from gateway.pipeline.vat_report import Question, vat_report
from tests.ubl_documents import EXPORT, LINK, MEDICINE, VAT5, VAT15, figures

MONTHS = ("2026-07", "2026-08", "2026-09")
CITIZEN = Tax(Category.ZERO, ZERO, "VATEX-SA-EDU", "Education | تعليم")
NOW = datetime(2026, 10, 1, tzinfo=UTC)


class Shelf:
    """Documents as the ledger gives them, without one."""

    def __init__(self, rows, xmls):
        self.rows, self.xmls = sorted(rows, key=lambda row: (row.made_at, row.uuid)), xmls

    def taxed(self, taxpayer_id, *, since, until, supplied_until, unit, after, with_xml):
        behind = [row for row in self.rows if after is None or (row.made_at, row.uuid) > tuple(after)]
        for row in behind:
            in_time = since <= row.issued_at and (row.issued_at < until or supplied_until is not None)
            if in_time:
                yield [row._replace(xml=self.xmls[row.uuid] if with_xml or row.taxed is None else None)]

    def stamped_xml(self, taxpayer_id, uuid):
        return self.xmls[uuid]

    def snapshot(self, taxpayer_id, uuid):
        raise Unknown("not here")


days = st.one_of(*[st.dates(date(2026, 7, 1), date(2026, 9, 30))] * 3, st.dates(date(2026, 6, 1), date(2026, 10, 9)))
statuses = st.sampled_from([Status.REPORTED, Status.CLEARED] * 4 + list(Status))
_taxes = st.sampled_from([VAT15, VAT5, MEDICINE, EXPORT])
_amounts = st.decimals(Decimal("0.01"), Decimal(50), places=2)


@st.composite
def invoices(draw) -> Invoice:
    """A document of any kind, in SAR or not."""
    drawn = draw(figures())
    drawn = drawn if len(drawn.lines) < 4 else replace(drawn, lines=drawn.lines[:3], allowances=())
    kind = draw(st.sampled_from([Kind.INVOICE, Kind.INVOICE, *Kind]))
    lines = tuple(replace(line, tax=CITIZEN if draw(st.integers(0, 9)) == 0 else line.tax) for line in drawn.lines)
    is_hidden = drawn.fx_rate is not None and drawn.vat > 1 and draw(st.booleans())
    lines = drawn.lines if drawn.allowances or is_hidden else lines
    deducted = kind is Kind.INVOICE and not is_hidden and draw(st.integers(0, 2)) > 0
    made = replace(
        drawn,
        kind=kind,
        lines=lines,
        profile=draw(st.sampled_from(Profile)),
        flags=draw(st.frozensets(st.sampled_from([Flag.EXPORT, Flag.CONTINUOUS, Flag.B2G, Flag.SUMMARY]), max_size=2)),
        supply_date=draw(st.none() | days),
        references=("X-1",) if kind.is_note else (),
        reason="Returned" if kind.is_note else "",
        deductions=tuple(
            Deduction(str(900 + place), "Advance", "ADV-1", NOW, draw(_taxes), draw(_amounts), draw(_amounts))
            for place in range(draw(st.integers(1, 2)) if deducted else 0)
        ),
    )
    return replace(made, fx_rate=None, vat_in_sar=made.vat_sar) if is_hidden else made


@st.composite
def shelves(draw) -> Shelf:
    """Some months of documents, of which some are notes on others, and some from before their VAT was kept."""
    rows, xmls = [], {}
    for place in range(draw(st.integers(2, 8))):
        invoice, day = draw(invoices()), draw(days)
        issued_at = datetime.combine(day, datetime.min.time(), RIYADH) + timedelta(hours=draw(st.integers(0, 23)))
        uuid = f"u-{place}"
        xmls[uuid] = ubl.render(invoice, Heading(f"N-{place}", uuid, issued_at), LINK)
        earlier = [row for row in rows if not row.kind.is_note and row.issued_at <= issued_at]
        original = draw(st.sampled_from(earlier)) if earlier and invoice.kind.is_note and draw(st.booleans()) else None
        kept = taxed_json(taxed_of(invoice))
        assert taxed_from(kept) == taxed_of(invoice)
        rows.append(
            TaxedRow(
                uuid=uuid,
                number=f"N-{place}",
                kind=invoice.kind,
                profile=invoice.profile,
                unit_id="U",
                issued_at=issued_at.astimezone(UTC),
                made_at=issued_at.astimezone(UTC) + timedelta(seconds=place),
                buyer_name="",
                buyer_vat="",
                taxed=kept if draw(st.integers(0, 3)) else None,
                corrects=original.uuid if original else None,
                status=draw(statuses),
                original=Original(original.kind, original.issued_at, original.taxed) if original else None,
                xml=None,
            )
        )
    return Shelf(rows, xmls)


# -- the oracle -----------------------------------------------------------------------------------------------


def half_up(amount: Fraction) -> Fraction:
    return Fraction(floor(amount * 100 + Fraction(1, 2)), 100)


def texts(root, *names):
    path = "/".join(f"*[local-name()='{name}']" for name in names)
    return [each.text for each in root.xpath(path)]


def number(root, *names):
    found = texts(root, *names)
    return Fraction(found[0]) if found else None


def by_law(xml, by):
    """The day that counts, by the XML alone."""
    root = etree.fromstring(xml)
    (issued,), supplied = texts(root, "IssueDate"), texts(root, "Delivery", "ActualDeliveryDate")
    code = root.xpath("string(*[local-name()='InvoiceTypeCode']/@name)")
    is_note = texts(root, "InvoiceTypeCode")[0] in ("381", "383")
    if by is By.ISSUE or is_note or not supplied or code[7:8] == "1":
        return issued
    return min(issued, supplied[0])


def field_of(category, code, flags):
    if category == "S":
        return "government" if flags[8:9] == "1" else "standard"
    if category in "EO":
        return {"E": "exempt", "O": "outside"}[category]
    if code in ("VATEX-SA-EDU", "VATEX-SA-HEA"):
        return "citizens"
    return "exports" if flags[4] == "1" or code in ("VATEX-SA-32", "VATEX-SA-33") else "zero-domestic"


def told(xml):
    """(field, rate) -> signed taxable amount and VAT in SAR, what all VAT comes to, and how many shares are rounded."""
    root = etree.fromstring(xml)
    flags = root.xpath("string(*[local-name()='InvoiceTypeCode']/@name)")
    sign = -1 if texts(root, "InvoiceTypeCode") == ["381"] else 1
    in_sar = Fraction(root.xpath("string(*[local-name()='TaxTotal'][not(*[local-name()='TaxSubtotal'])]/*)"))
    in_currency = Fraction(root.xpath("string(*[local-name()='TaxTotal'][*[local-name()='TaxSubtotal']]/*)"))
    is_local = texts(root, "DocumentCurrencyCode") == ["SAR"]
    rate = number(root, "TaxExchangeRate", "CalculationRate")
    rate = Fraction(1) if is_local else rate if rate is not None else in_sar / in_currency
    found = defaultdict(lambda: [Fraction(0), Fraction(0)])
    whole = sign * in_sar
    for path, direction in ((("TaxTotal", "TaxSubtotal"), sign), (("InvoiceLine", "TaxTotal", "TaxSubtotal"), -sign)):
        for group in root.xpath("/".join(f"*[local-name()='{name}']" for name in path)):
            (category,), percents = texts(group, "TaxCategory", "ID"), texts(group, "TaxCategory", "Percent")
            code = (texts(group, "TaxCategory", "TaxExemptionReasonCode") or [""])[0]
            key = field_of(category, code, flags), Fraction(percents[0])
            vat = half_up(number(group, "TaxAmount") * rate)
            found[key][0] += direction * half_up(number(group, "TaxableAmount") * rate)
            found[key][1] += direction * vat
            if path[0] == "InvoiceLine":
                whole -= sign * vat
    return found, whole, 0 if is_local else len(found)


def expected(shelf, period, by, standing):
    found, whole, loose = defaultdict(lambda: [Fraction(0), Fraction(0)]), Fraction(0), 0
    for row in shelf.rows:
        accepted = row.status in (Status.REPORTED, Status.CLEARED)
        is_open = row.status in (Status.UNSTAMPED, Status.ISSUED, Status.SENDING, Status.UNKNOWN, Status.HELD)
        day = by_law(shelf.xmls[row.uuid], by)
        if str(period.first) <= day <= str(period.last) and (accepted if standing is Standing.COUNTED else is_open):
            fields, vat, several = told(shelf.xmls[row.uuid])
            whole, loose = whole + vat, loose + several
            for key, (taxable, share) in fields.items():
                found[key][0] += taxable
                found[key][1] += share
    return found, whole, loose


def reported(report, standing):
    return {
        (key.box.value, Fraction(key.rate)): (Fraction(sums.amount + sums.adjustment), Fraction(sums.vat))
        for key, sums in boxes(report.tally, standing)
        if sums.documents
    }


@given(shelves(), st.sampled_from(By))
@settings(max_examples=40)
def test_the_report_is_what_the_oracle_says_and_its_parts_add_up(shelf, by):
    quarter = read_period("2026-Q3")
    report = vat_report(shelf, Question("tp", quarter, by), now=NOW)
    assert report.agrees, report.looked_at
    assert report.tally.unexchanged == report.unreadable == 0
    for standing in (Standing.COUNTED, Standing.OPEN):
        fields, whole, loose = expected(shelf, quarter, by, standing)
        shown = reported(report, standing)
        assert shown.keys() == fields.keys()
        for key, (taxable, vat) in fields.items():
            assert shown[key][0] == taxable
            assert abs(shown[key][1] - vat) <= Fraction(loose, 100)
        assert sum(vat for _, vat in shown.values()) == whole
    _periods_partition(shelf, by, report)
    _drill_downs_add_up(shelf, by, report)


def _periods_partition(shelf, by, report):
    parts = [vat_report(shelf, Question("tp", read_period(month), by), now=NOW) for month in MONTHS]
    assert all(part.agrees for part in parts)
    for standing in (Standing.COUNTED, Standing.OPEN):
        added = defaultdict(lambda: (Fraction(0), Fraction(0)))
        for part in parts:
            for key, (taxable, vat) in reported(part, standing).items():
                added[key] = (added[key][0] + taxable, added[key][1] + vat)
        assert added == reported(report, standing)
    for standing in Standing:
        assert sum(part.tally.standings[standing] for part in parts) == report.tally.standings[standing]


def _drill_downs_add_up(shelf, by, report):
    question = Question("tp", read_period("2026-Q3"), by)
    for box in Box:
        rows, cursor = [], ""
        while cursor is not None:
            page = documents_behind(shelf, question, box, Standing.COUNTED, cursor=cursor, limit=1)
            rows += page.items
            cursor = page.next
        for column in ("amount", "adjustment"):
            shown = sum(getattr(sums, column) for key, sums in boxes(report.tally, Standing.COUNTED) if key.box is box)
            assert sum(Decimal(row["taxable"]) for row in rows if row["column"] == column) == shown
        vat = sum(sums.vat for key, sums in boxes(report.tally, Standing.COUNTED) if key.box is box)
        assert sum(Decimal(row["vat"]) for row in rows) == vat
        of_groups = [each for group, each in groups(report.tally) if (group.standing, group.box) == ("counted", box)]
        assert sum(each.vat for each in of_groups) == vat
