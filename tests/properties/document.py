"""A document's words and halalas, read from its XML by plain paths: it knows nothing of the gateway's own reader."""

from typing import NamedTuple

from lxml import etree

from tests.properties.law import Tax, whole

_NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


class Adjustment(NamedTuple):
    """An allowance or a charge, of the document (with its tax) or of a line."""

    is_charge: bool
    amount: int
    reason: str
    tax: Tax | None


class Line(NamedTuple):
    """One line; `net` BT-131, `vat` KSA-11, `total` KSA-12."""

    id: str
    name: str
    sku: str
    unit: str
    quantity: str
    price: str
    base_quantity: str
    net: int
    vat: int
    total: int
    tax: Tax
    adjustments: tuple[Adjustment, ...]

    def amount_of(self, *, charges: bool) -> int:
        """All charges, or all allowances."""
        return sum(each.amount for each in self.adjustments if each.is_charge == charges)


class Deduction(NamedTuple):
    """A prepayment that is taken off; `amounts` of its own line, which are all to be zero."""

    id: str
    number: str
    uuid: str
    moment: str
    code: str
    tax: Tax
    taxable: int
    vat: int
    amounts: tuple[int, ...]


class Group(NamedTuple):
    """BT-116 and BT-117 of one tax."""

    tax: Tax
    taxable: int
    vat: int


class Document(NamedTuple):
    """What is looked at; absent sums are zero."""

    name: str
    kind: str
    currency: str
    texts: dict[str, str]
    lines: tuple[Line, ...]
    deductions: tuple[Deduction, ...]
    adjustments: tuple[Adjustment, ...]
    groups: tuple[Group, ...]
    vat: int
    vat_in_sar: int
    fx_rate: str
    lines_total: int  # BT-106
    allowances: int  # BT-107
    charges: int  # BT-108
    without_vat: int  # BT-109
    with_vat: int  # BT-112
    prepaid: int  # BT-113
    rounding: int  # BT-114
    payable: int  # BT-115


_TEXTS = {
    "note": "cbc:Note",
    "order": "cac:OrderReference/cbc:ID",
    "contract": "cac:ContractDocumentReference/cbc:ID",
    "buyer": "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
    "buyer_vat": "cac:AccountingCustomerParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID",
    "buyer_id": "cac:AccountingCustomerParty/cac:Party/cac:PartyIdentification/cbc:ID",
    "buyer_city": "cac:AccountingCustomerParty/cac:Party/cac:PostalAddress/cbc:CityName",
    "supplied": "cac:Delivery/cbc:ActualDeliveryDate",
    "supplied_until": "cac:Delivery/cbc:LatestDeliveryDate",
    "means": "cac:PaymentMeans/cbc:PaymentMeansCode",
    "reason": "cac:PaymentMeans/cbc:InstructionNote",
}


def read(xml: bytes) -> Document:
    """The document; the currency of every amount is looked at on the way (R78)."""
    root = etree.fromstring(xml)
    currency = _text(root, "cbc:DocumentCurrencyCode")
    with_groups, bare = sorted(_all(root, "cac:TaxTotal"), key=lambda each: -len(_all(each, "cac:TaxSubtotal")))
    for each in root.iter():
        if "currencyID" in each.attrib and each.getparent() is not bare:
            assert each.get("currencyID") == currency
    lines = _all(root, "cac:InvoiceLine")
    total = "cac:LegalMonetaryTotal/cbc:"
    return Document(
        name=_find(root, "cbc:InvoiceTypeCode").get("name", ""),
        kind=_text(root, "cbc:InvoiceTypeCode"),
        currency=currency,
        texts={name: _text(root, path) for name, path in _TEXTS.items()},
        lines=tuple(_line(each) for each in lines if not _all(each, "cac:DocumentReference")),
        deductions=tuple(_deduction(each) for each in lines if _all(each, "cac:DocumentReference")),
        adjustments=_adjustments(root),
        groups=tuple(_group(each) for each in _all(with_groups, "cac:TaxSubtotal")),
        vat=_amount(with_groups, "cbc:TaxAmount"),
        vat_in_sar=_amount(bare, "cbc:TaxAmount"),
        fx_rate=_text(root, "cac:TaxExchangeRate/cbc:CalculationRate"),
        lines_total=_amount(root, f"{total}LineExtensionAmount"),
        allowances=_amount(root, f"{total}AllowanceTotalAmount"),
        charges=_amount(root, f"{total}ChargeTotalAmount"),
        without_vat=_amount(root, f"{total}TaxExclusiveAmount"),
        with_vat=_amount(root, f"{total}TaxInclusiveAmount"),
        prepaid=_amount(root, f"{total}PrepaidAmount"),
        rounding=_amount(root, f"{total}PayableRoundingAmount"),
        payable=_amount(root, f"{total}PayableAmount"),
    )


def _line(node: etree._Element) -> Line:
    return Line(
        id=_text(node, "cbc:ID"),
        name=_text(node, "cac:Item/cbc:Name"),
        sku=_text(node, "cac:Item/cac:SellersItemIdentification/cbc:ID"),
        unit=_find(node, "cbc:InvoicedQuantity").get("unitCode", ""),
        quantity=_text(node, "cbc:InvoicedQuantity"),
        price=_text(node, "cac:Price/cbc:PriceAmount"),
        base_quantity=_text(node, "cac:Price/cbc:BaseQuantity") or "1",
        net=_amount(node, "cbc:LineExtensionAmount"),
        vat=_amount(node, "cac:TaxTotal/cbc:TaxAmount"),
        total=_amount(node, "cac:TaxTotal/cbc:RoundingAmount"),
        tax=_tax(_find(node, "cac:Item/cac:ClassifiedTaxCategory")),
        adjustments=_adjustments(node),
    )


def _deduction(node: etree._Element) -> Deduction:
    subtotal, reference = _find(node, "cac:TaxTotal/cac:TaxSubtotal"), _find(node, "cac:DocumentReference")
    own = ("cbc:LineExtensionAmount", "cac:TaxTotal/cbc:TaxAmount", "cac:TaxTotal/cbc:RoundingAmount",
           "cac:Price/cbc:PriceAmount", "cbc:InvoicedQuantity")  # fmt: skip
    return Deduction(
        id=_text(node, "cbc:ID"),
        number=_text(reference, "cbc:ID"),
        uuid=_text(reference, "cbc:UUID"),
        moment=f"{_text(reference, 'cbc:IssueDate')}T{_text(reference, 'cbc:IssueTime')}",
        code=_text(reference, "cbc:DocumentTypeCode"),
        tax=_tax(_find(subtotal, "cac:TaxCategory")),
        taxable=_amount(subtotal, "cbc:TaxableAmount"),
        vat=_amount(subtotal, "cbc:TaxAmount"),
        amounts=tuple(_amount(node, path) for path in own),
    )


def _adjustments(node: etree._Element) -> tuple[Adjustment, ...]:
    return tuple(
        Adjustment(
            is_charge=_text(each, "cbc:ChargeIndicator") == "true",
            amount=_amount(each, "cbc:Amount"),
            reason=_text(each, "cbc:AllowanceChargeReason"),
            tax=next((_tax(tax) for tax in _all(each, "cac:TaxCategory")), None),
        )
        for each in _all(node, "cac:AllowanceCharge")
    )


def _group(node: etree._Element) -> Group:
    tax = _tax(_find(node, "cac:TaxCategory"))
    return Group(tax, _amount(node, "cbc:TaxableAmount"), _amount(node, "cbc:TaxAmount"))


def _tax(node: etree._Element) -> Tax:
    rate = whole(_text(node, "cbc:Percent"))
    assert rate % 100 == 0
    return Tax(_text(node, "cbc:ID"), rate // 100, _text(node, "cbc:TaxExemptionReasonCode"))


def _all(node: etree._Element, path: str) -> list[etree._Element]:
    return node.findall(path, _NAMESPACES)


def _find(node: etree._Element, path: str) -> etree._Element:
    found = node.find(path, _NAMESPACES)
    assert found is not None, path
    return found


def _text(node: etree._Element, path: str) -> str:
    return node.findtext(path, "", _NAMESPACES)


def _amount(node: etree._Element, path: str) -> int:
    return whole(_text(node, path) or "0")
