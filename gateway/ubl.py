"""The UBL 2.1 document: facts to canonical bytes (`render`) and back (`read`).

`render` writes the unsigned document; its form is ubl_templates/invoice.xml. `read` takes the facts out of a document,
stamped or not, and gives them only if their sums are those the document states. Knows nothing of stamps and rules.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple, NoReturn, TypeVar

from lxml import etree

from gateway.chain import Link
from gateway.errors import BadInput
from gateway.invoice.facts import (
    ONE,
    RIYADH,
    SAR,
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
from gateway.template import load
from gateway.xml import INVOICE, NAMESPACES, parse

_TEMPLATE: Final = load("invoice.xml", invoice=Invoice, heading=Heading, link=Link, reasons_differ=bool)

Choice = TypeVar("Choice", bound=StrEnum)

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK: Final = re.compile("([0-9]{2}:[0-9]{2}:[0-9]{2})(Z?)")
_CODE: Final = re.compile("0[12][01]{5,7}")


class Content(NamedTuple):
    """All that an unsigned document says."""

    invoice: Invoice
    heading: Heading
    link: Link


def render(invoice: Invoice, heading: Heading, link: Link) -> bytes:
    """The unsigned document as canonical bytes (C14N 1.1): without XML declaration, extensions, QR and signature.

    The moment of issue has whole seconds and every amount at most two decimals: what a document cannot hold is not
    rounded here but asserted against.
    """
    taxes = [group.tax for group in invoice.vat_groups]
    reasons_differ = len({(tax.category, tax.rate) for tax in taxes}) < len(taxes)
    text: str = _TEMPLATE.write(invoice=invoice, heading=heading, link=link, reasons_differ=reasons_differ)
    return text.encode()


def read(xml: bytes) -> Content:
    """The facts of a document; for what `render` made, stamped or not, exactly those that went in.

    BadInput where any other document lacks a fact, or says one that these types do not hold, such as a discount on the
    unit price: it shows in sums that would not be its own.
    """
    root = parse(xml)
    etree.strip_tags(root, etree.Comment, etree.PI)  # or a text would end at the first of them
    if root.tag != f"{{{INVOICE}}}Invoice":
        raise BadInput("The document is not a UBL invoice.", fix="Hand in an Invoice of the namespace Invoice-2.")
    invoice = _invoice(root)
    try:
        _must_say_its_own_sums(root, invoice)
    except InvalidOperation:
        raise BadInput("The document has numbers too large to add up.", fix="Correct the document.") from None
    return Content(invoice, _heading(root), _link(root))


def says(root: etree._Element, content: Content) -> bool:
    """Whether a parsed document, as `render` makes them, reads back as exactly this, its stated sums included. As good
    as comparing what `read` gives, without adding all of it up anew."""
    if (_invoice(root), _heading(root), _link(root)) != content:
        return False
    _must_say_its_own_sums(root, content.invoice)
    return True


def _invoice(root: etree._Element) -> Invoice:
    kind = _choice(root, "cbc:InvoiceTypeCode", "BT-3", Kind)
    profile, flags = _transaction_code(root)
    currency = _required(root, "cbc:DocumentCurrencyCode", "BT-5")
    references = tuple(_texts(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID"))
    reason = _text(root, "cac:PaymentMeans/cbc:InstructionNote")
    if kind.is_note and not references:
        _lacks(root, "cac:BillingReference", "BG-3")
    if kind.is_note and not reason:
        _lacks(root, "cac:PaymentMeans/cbc:InstructionNote", "KSA-10")
    taxes = _Taxes(root)
    fx_rate = _fx_rate(root) if currency != SAR else None
    return Invoice(
        kind=kind,
        profile=profile,
        flags=flags,
        seller=_party(_element(root, "cac:AccountingSupplierParty/cac:Party", "BG-4")),
        buyer=_buyer(root),
        lines=tuple(_line(line, taxes) for line in _lines(root) if not _is_deduction(line)),
        currency=currency,
        fx_rate=fx_rate,
        vat_in_sar=_vat_in_sar(root) if currency != SAR and fx_rate is None else None,
        allowances=tuple(_allowance(node, taxes) for node in _adjustments(root, is_charge="false")),
        charges=tuple(_document_charge(node, taxes) for node in _adjustments(root, is_charge="true")),
        deductions=tuple(_deduction(line) for line in _lines(root) if _is_deduction(line)),
        rounding=_decimal(root, "cac:LegalMonetaryTotal/cbc:PayableRoundingAmount", "BT-114", absent=ZERO),
        supply_date=_date(root, "cac:Delivery/cbc:ActualDeliveryDate", "KSA-5"),
        supply_end=_date(root, "cac:Delivery/cbc:LatestDeliveryDate", "KSA-24"),
        payment_means=_text(root, "cac:PaymentMeans/cbc:PaymentMeansCode"),
        references=references,
        reason=reason,
        note=_text(root, "cbc:Note"),
        order_reference=_text(root, "cac:OrderReference/cbc:ID"),
        contract=_text(root, "cac:ContractDocumentReference/cbc:ID"),
    )


def _fx_rate(root: etree._Element) -> Decimal | None:
    rate = "cac:TaxExchangeRate/cbc:CalculationRate"
    return _decimal(root, rate, "KSA-39") if _text(root, rate) else None


def _vat_in_sar(root: etree._Element) -> Decimal:
    """BT-111: that of the tax total without a breakdown."""
    totals = root.iterfind(_qualified("cac:TaxTotal"))
    bare = next((each for each in totals if each.find(_qualified("cac:TaxSubtotal")) is None), None)
    if bare is None:
        _lacks(root, "second cac:TaxTotal", "BT-111")
    return _decimal(bare, "cbc:TaxAmount", "BT-111")


def _transaction_code(root: etree._Element) -> tuple[Profile, frozenset[Flag]]:
    """KSA-2: two digits of the profile, then one for each flag; the last two may be missing."""
    code = _element(root, "cbc:InvoiceTypeCode", "BT-3").get("name", "")
    if not _CODE.fullmatch(code):
        _unusable(root, "cbc:InvoiceTypeCode/@name", "KSA-2", code)
    raised = (flag for flag, digit in zip(Flag, code[2:], strict=False) if digit == "1")
    return Profile(code[:2]), frozenset(raised)


def _party(node: etree._Element) -> Party:
    identifier = node.find(_qualified("cac:PartyIdentification/cbc:ID"))
    address = node.find(_qualified("cac:PostalAddress"))
    return Party(
        name=_text(node, "cac:PartyLegalEntity/cbc:RegistrationName"),
        vat=_text(node, "cac:PartyTaxScheme/cbc:CompanyID"),
        id=None if identifier is None else Identifier(identifier.get("schemeID", ""), identifier.text or ""),
        address=None if address is None else _address(address),
    )


def _buyer(root: etree._Element) -> Party | None:
    """BG-7; a simplified document may name none, and has then an empty AccountingCustomerParty."""
    node = root.find(_qualified("cac:AccountingCustomerParty/cac:Party"))
    return None if node is None else _party(node)


def _address(node: etree._Element) -> Address:
    return Address(
        street=_text(node, "cbc:StreetName"),
        building=_text(node, "cbc:BuildingNumber"),
        district=_text(node, "cbc:CitySubdivisionName"),
        city=_text(node, "cbc:CityName"),
        postal_code=_text(node, "cbc:PostalZone"),
        country=_text(node, "cac:Country/cbc:IdentificationCode"),
    )


def _lines(root: etree._Element) -> list[etree._Element]:
    return _elements(root, "cac:InvoiceLine", "BG-25")


def _is_deduction(line: etree._Element) -> bool:
    return line.find(_qualified("cac:DocumentReference")) is not None


def _line(node: etree._Element, taxes: "_Taxes") -> Line:
    quantity = _element(node, "cbc:InvoicedQuantity", "BT-129")
    return Line(
        id=_text(node, "cbc:ID"),
        name=_text(node, "cac:Item/cbc:Name"),
        quantity=_decimal(node, "cbc:InvoicedQuantity", "BT-129"),
        unit=quantity.get("unitCode", ""),
        price=_decimal(node, "cac:Price/cbc:PriceAmount", "BT-146"),
        base_quantity=_decimal(node, "cac:Price/cbc:BaseQuantity", "BT-149", absent=ONE),
        tax=taxes.of(_element(node, "cac:Item/cac:ClassifiedTaxCategory", "BT-151")),
        reductions=tuple(Reduction(*_adjustment(each)) for each in _adjustments(node, is_charge="false")),
        charges=tuple(Charge(*_adjustment(each)) for each in _adjustments(node, is_charge="true")),
        sku=_text(node, "cac:Item/cac:SellersItemIdentification/cbc:ID"),
    )


def _deduction(line: etree._Element) -> Deduction:
    subtotal = _element(line, "cac:TaxTotal/cac:TaxSubtotal", "KSA-31")
    reference = _element(line, "cac:DocumentReference", "KSA-26")
    return Deduction(
        id=_text(line, "cbc:ID"),
        name=_text(line, "cac:Item/cbc:Name"),
        number=_required(reference, "cbc:ID", "KSA-26"),
        uuid=_text(reference, "cbc:UUID"),
        issued_at=_moment(reference, "KSA-28", "KSA-29"),
        tax=_Taxes.stated(_element(subtotal, "cac:TaxCategory", "KSA-33")),
        taxable=_decimal(subtotal, "cbc:TaxableAmount", "KSA-31"),
        vat=_decimal(subtotal, "cbc:TaxAmount", "KSA-32"),
    )


def _adjustments(node: etree._Element, *, is_charge: str) -> Iterator[etree._Element]:
    """BG-20 or BG-27 where `is_charge` is false, BG-21 or BG-28 where it is true."""
    for each in node.iterfind(_qualified("cac:AllowanceCharge")):
        if _text(each, "cbc:ChargeIndicator") == is_charge:
            yield each


def _adjustment(node: etree._Element) -> tuple[Decimal, str, str]:
    """Amount, reason and its code."""
    amount = _decimal(node, "cbc:Amount", "BT-136")
    return amount, _text(node, "cbc:AllowanceChargeReason"), _text(node, "cbc:AllowanceChargeReasonCode")


def _allowance(node: etree._Element, taxes: "_Taxes") -> Allowance:
    amount, reason, code = _adjustment(node)
    return Allowance(amount, reason, taxes.of(_element(node, "cac:TaxCategory", "BT-95")), code)


def _document_charge(node: etree._Element, taxes: "_Taxes") -> DocumentCharge:
    amount, reason, code = _adjustment(node)
    return DocumentCharge(amount, reason, taxes.of(_element(node, "cac:TaxCategory", "BT-102")), code)


class _Taxes:
    """The VAT breakdown (BG-23), where a line or an allowance finds the reason of its category and rate.

    Where two breakdowns share both, the line says the reason itself, and this is what counts.
    """

    def __init__(self, root: etree._Element) -> None:
        self.breakdown: dict[tuple[Category, Decimal], list[Tax]] = {}
        for node in root.iterfind(_qualified("cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory")):
            tax = self.stated(node)
            self.breakdown.setdefault((tax.category, tax.rate), []).append(tax)

    def of(self, node: etree._Element) -> Tax:
        tax = self.stated(node)
        same = self.breakdown.get((tax.category, tax.rate), [])
        return same[0] if len(same) == 1 else tax

    @staticmethod
    def stated(node: etree._Element) -> Tax:
        """The tax as one place in the document states it; O may leave its rate out (BR-48)."""
        return Tax(
            category=_choice(node, "cbc:ID", "BT-151", Category),
            rate=_decimal(node, "cbc:Percent", "BT-152", absent=ZERO),
            reason_code=_text(node, "cbc:TaxExemptionReasonCode"),
            reason=_text(node, "cbc:TaxExemptionReason"),
        )


def _heading(root: etree._Element) -> Heading:
    issued_at = _moment(root, "BT-2", "KSA-25")
    return Heading(_required(root, "cbc:ID", "BT-1"), _required(root, "cbc:UUID", "KSA-1"), issued_at)


def _moment(node: etree._Element, day_term: str, time_term: str) -> datetime:
    """An IssueDate with its IssueTime, in Riyadh unless it says UTC (Z)."""
    day = _date(node, "cbc:IssueDate", day_term) or _lacks(node, "cbc:IssueDate", day_term)
    text = _required(node, "cbc:IssueTime", time_term)
    match = _CLOCK.fullmatch(text)
    try:
        clock = time.fromisoformat(match[1] if match else "")
    except ValueError:
        _unusable(node, "cbc:IssueTime", time_term, text)
    return datetime.combine(day, clock, UTC if text.endswith("Z") else RIYADH)


def _link(root: etree._Element) -> Link:
    counter = previous = ""
    for node in root.iterfind(_qualified("cac:AdditionalDocumentReference")):
        match _text(node, "cbc:ID"):
            case "ICV":
                counter = _text(node, "cbc:UUID")
            case "PIH":
                previous = _text(node, "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
    if not re.fullmatch("[0-9]{1,18}", counter):
        _unusable(root, "cac:AdditionalDocumentReference[ICV]/cbc:UUID", "KSA-16", counter)
    if not previous:
        _lacks(root, "cac:AdditionalDocumentReference[PIH]", "KSA-13")
    return Link(int(counter), previous)


def _must_say_its_own_sums(root: etree._Element, invoice: Invoice) -> None:
    """BadInput unless every sum the document states is the one its facts give."""
    total = "cac:LegalMonetaryTotal"
    in_currency = _element(root, "cac:TaxTotal[cac:TaxSubtotal]", "BT-110")
    stated = [
        ("BT-106", _decimal(root, f"{total}/cbc:LineExtensionAmount", "BT-106"), invoice.lines_total),
        ("BT-109", _decimal(root, f"{total}/cbc:TaxExclusiveAmount", "BT-109"), invoice.without_vat),
        ("BT-110", _decimal(in_currency, "cbc:TaxAmount", "BT-110"), invoice.vat),
        ("BT-111", _vat_in_sar(root), invoice.vat_sar),
        ("BT-112", _decimal(root, f"{total}/cbc:TaxInclusiveAmount", "BT-112"), invoice.with_vat),
        ("BT-113", _decimal(root, f"{total}/cbc:PrepaidAmount", "BT-113", absent=ZERO), invoice.prepaid),
        ("BT-115", _decimal(root, f"{total}/cbc:PayableAmount", "BT-115"), invoice.payable),
    ]
    sold = (node for node in _lines(root) if not _is_deduction(node))
    for node, line in zip(sold, invoice.lines, strict=True):
        stated.append((f"BT-131 of line {line.id}", _decimal(node, "cbc:LineExtensionAmount", "BT-131"), line.net))
    for term, amount, computed in stated:
        if amount != computed:
            raise BadInput(
                f"The document states {amount} for {term}, and its lines and allowances give {computed}.",
                fix="Discounts on the unit price and other ways of rounding are not taken over.",
            )


@cache
def _qualified(path: str) -> str:
    """A path with its namespaces written out, which lxml finds several times faster than prefixes."""
    return re.sub(r"(\w+):", lambda prefix: f"{{{NAMESPACES[prefix[1]]}}}", path)


def _elements(node: etree._Element, path: str, term: str) -> list[etree._Element]:
    found: list[etree._Element] = node.findall(_qualified(path))
    return found or _lacks(node, path, term)


def _element(node: etree._Element, path: str, term: str) -> etree._Element:
    return _elements(node, path, term)[0]


def _texts(node: etree._Element, path: str) -> Iterator[str]:
    return (found.text or "" for found in node.iterfind(_qualified(path)))


def _text(node: etree._Element, path: str) -> str:
    """The text of the first such element; empty if there is none, for so are texts that are absent."""
    text: str = node.findtext(_qualified(path), "")
    return text


def _required(node: etree._Element, path: str, term: str) -> str:
    return _text(node, path) or _lacks(node, path, term)


def _choice(node: etree._Element, path: str, term: str, codes: type[Choice]) -> Choice:
    text = _required(node, path, term)
    try:
        return codes(text)
    except ValueError:
        _unusable(node, path, term, text)


def _decimal(node: etree._Element, path: str, term: str, *, absent: Decimal | None = None) -> Decimal:
    text = _text(node, path)
    if not text and absent is not None:
        return absent
    if not _DECIMAL.fullmatch(text):
        _unusable(node, path, term, text) if text else _lacks(node, path, term)
    return Decimal(text)


def _date(node: etree._Element, path: str, term: str) -> date | None:
    text = _text(node, path)
    if not text:
        return None
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        _unusable(node, path, term, text)


def _lacks(node: etree._Element, path: str, term: str) -> NoReturn:
    raise BadInput(f"{etree.QName(node).localname} has no {path} ({term}).", fix="Complete the document.")


def _unusable(node: etree._Element, path: str, term: str, text: str) -> NoReturn:
    raise BadInput(
        f"{etree.QName(node).localname} has {text[:60]!r} as {path} ({term}), which cannot be used.",
        fix="Correct the document.",
    )
