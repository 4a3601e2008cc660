"""Where in the order a place of its document comes from, so that a finding names the field to mend.

Fields are written as in the order; those of the seller stand in the unit's file, here behind `unit.`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Final, NamedTuple, TypeVar

from gateway.finding import Finding
from gateway.invoice.facts import Allowance, Charge, Deduction, DocumentCharge, Invoice, Line, Party, Reduction

T = TypeVar("T")

GATEWAY: Final = "-"
"""Stands for the field of what the gateway makes or computes itself."""

# The document, element by element and attribute by attribute (but for @currencyID, which is the currency's): its term,
# and the field it comes from. {line}, {reduction}, {allowance} and {tax} are where this very part of it comes from.
_DOCUMENT: Final = """
cbc:ProfileID                             BT-23   -
cbc:ID                                    BT-1    invoice_number
cbc:UUID                                  KSA-1   -
cbc:IssueDate                             BT-2    -
cbc:IssueTime                             KSA-25  -
cbc:InvoiceTypeCode                       BT-3    -
  @name                                   KSA-2   flags
cbc:Note                                  BT-22   note
cbc:DocumentCurrencyCode                  BT-5    currency
cbc:TaxCurrencyCode                       BT-6    -
cac:OrderReference                        -       number
  cbc:ID                                  BT-13   number
cac:BillingReference                      BG-3    -
  cac:InvoiceDocumentReference            -       -
    cbc:ID                                BT-25   -
cac:ContractDocumentReference             -       contract
  cbc:ID                                  BT-12   contract
cac:AdditionalDocumentReference           BG-24   -
  cbc:ID                                  BT-122  -
  cbc:UUID                                KSA-16  -
  cac:Attachment                          -       -
    cbc:EmbeddedDocumentBinaryObject      KSA-13  -
      @mimeCode                           -       -
cac:AccountingSupplierParty               BG-4    unit.taxpayer
  cac:Party                               -       unit.taxpayer
    cac:PartyIdentification               BT-29   unit.taxpayer.id
      cbc:ID                              -       unit.taxpayer.id.value
        @schemeID                         -       unit.taxpayer.id.scheme
    cac:PostalAddress                     BG-5    unit.taxpayer.address
      cbc:StreetName                      BT-35   unit.taxpayer.address.street
      cbc:BuildingNumber                  KSA-17  unit.taxpayer.address.building
      cbc:CitySubdivisionName             KSA-3   unit.taxpayer.address.district
      cbc:CityName                        BT-37   unit.taxpayer.address.city
      cbc:PostalZone                      BT-38   unit.taxpayer.address.postal_code
      cac:Country                         -       unit.taxpayer.address.country
        cbc:IdentificationCode            BT-40   unit.taxpayer.address.country
    cac:PartyTaxScheme                    -       unit.taxpayer.vat
      cbc:CompanyID                       BT-31   unit.taxpayer.vat
      cac:TaxScheme                       -       -
        cbc:ID                            -       -
    cac:PartyLegalEntity                  -       unit.taxpayer.name
      cbc:RegistrationName                BT-27   unit.taxpayer.name
cac:AccountingCustomerParty               BG-7    buyer
  cac:Party                               -       buyer
    cac:PartyIdentification               BT-46   buyer.other_id
      cbc:ID                              -       buyer.other_id.value
        @schemeID                         -       buyer.other_id.scheme
    cac:PostalAddress                     BG-8    buyer.address
      cbc:StreetName                      BT-50   buyer.address.street
      cbc:BuildingNumber                  KSA-18  buyer.address.building
      cbc:CitySubdivisionName             KSA-4   buyer.address.district
      cbc:CityName                        BT-52   buyer.address.city
      cbc:PostalZone                      BT-53   buyer.address.postal_code
      cac:Country                         -       buyer.address.country
        cbc:IdentificationCode            BT-55   buyer.address.country
    cac:PartyTaxScheme                    -       buyer.vat
      cbc:CompanyID                       BT-48   buyer.vat
      cac:TaxScheme                       -       -
        cbc:ID                            -       -
    cac:PartyLegalEntity                  -       buyer.name
      cbc:RegistrationName                BT-44   buyer.name
cac:Delivery                              -       supply_date
  cbc:ActualDeliveryDate                  KSA-5   supply_date
  cbc:LatestDeliveryDate                  KSA-24  supply_end
cac:PaymentMeans                          BG-16   payments
  cbc:PaymentMeansCode                    BT-81   payments[0].method
  cbc:InstructionNote                     KSA-10  -
cac:AllowanceCharge                       BG-20   {allowance}
  cbc:ChargeIndicator                     -       -
  cbc:AllowanceChargeReasonCode           BT-98   -
  cbc:AllowanceChargeReason               BT-97   {allowance}.reason
  cbc:Amount                              BT-92   {allowance}.amount
  cac:TaxCategory                         -       {tax}
    cbc:ID                                BT-95   {tax}.category
    cbc:Percent                           BT-96   {tax}.rate
    cbc:TaxExemptionReasonCode            -       {tax}.reason_code
    cbc:TaxExemptionReason                -       {tax}.reason
    cac:TaxScheme                         -       -
      cbc:ID                              -       -
cac:TaxExchangeRate                       KSA-36  fx
  cbc:SourceCurrencyCode                  KSA-37  currency
  cbc:TargetCurrencyCode                  KSA-38  -
  cbc:CalculationRate                     KSA-39  fx.rate
cac:TaxTotal                              -       -
  cbc:TaxAmount                           BT-110  -
  cac:TaxSubtotal                         BG-23   {tax}
    cbc:TaxableAmount                     BT-116  -
    cbc:TaxAmount                         BT-117  -
    cac:TaxCategory                       -       {tax}
      cbc:ID                              BT-118  {tax}.category
      cbc:Percent                         BT-119  {tax}.rate
      cbc:TaxExemptionReasonCode          BT-121  {tax}.reason_code
      cbc:TaxExemptionReason              BT-120  {tax}.reason
      cac:TaxScheme                       -       -
        cbc:ID                            -       -
cac:LegalMonetaryTotal                    BG-22   -
  cbc:LineExtensionAmount                 BT-106  -
  cbc:TaxExclusiveAmount                  BT-109  -
  cbc:TaxInclusiveAmount                  BT-112  -
  cbc:AllowanceTotalAmount                BT-107  -
  cbc:ChargeTotalAmount                   BT-108  -
  cbc:PrepaidAmount                       BT-113  prepayments
  cbc:PayableRoundingAmount               BT-114  declared.grand
  cbc:PayableAmount                       BT-115  -
cac:InvoiceLine                           BG-25   {line}
  cbc:ID                                  BT-126  {line}.id
  cbc:InvoicedQuantity                    BT-129  {line}.quantity
    @unitCode                             BT-130  {line}.unit
  cbc:LineExtensionAmount                 BT-131  -
  cac:DocumentReference                   -       prepayments
    cbc:ID                                KSA-26  prepayments
    cbc:UUID                              KSA-27  prepayments
    cbc:IssueDate                         KSA-28  prepayments
    cbc:IssueTime                         KSA-29  prepayments
    cbc:DocumentTypeCode                  KSA-30  -
  cac:AllowanceCharge                     BG-27   {reduction}
    cbc:ChargeIndicator                   -       -
    cbc:AllowanceChargeReasonCode         BT-140  -
    cbc:AllowanceChargeReason             BT-139  {reduction}.reason
    cbc:Amount                            BT-136  {reduction}.amount
  cac:TaxTotal                            -       {line}
    cbc:TaxAmount                         KSA-11  -
    cbc:RoundingAmount                    KSA-12  -
    cac:TaxSubtotal                       -       prepayments
      cbc:TaxableAmount                   KSA-31  prepayments
      cbc:TaxAmount                       KSA-32  prepayments
      cac:TaxCategory                     -       prepayments
        cbc:ID                            KSA-33  prepayments
        cbc:Percent                       KSA-34  prepayments
        cbc:TaxExemptionReasonCode        KSA-41  prepayments
        cbc:TaxExemptionReason            KSA-42  prepayments
        cac:TaxScheme                     -       -
          cbc:ID                          -       -
  cac:Item                                -       {line}
    cbc:Name                              BT-153  {line}.name
    cac:SellersItemIdentification         -       {line}.sku
      cbc:ID                              BT-155  {line}.sku
    cac:ClassifiedTaxCategory             -       {tax}
      cbc:ID                              BT-151  {tax}.category
      cbc:Percent                         BT-152  {tax}.rate
      cbc:TaxExemptionReasonCode          -       {tax}.reason_code
      cbc:TaxExemptionReason              -       {tax}.reason
      cac:TaxScheme                       -       -
        cbc:ID                            -       -
  cac:Price                               BG-29   {line}.unit_price
    cbc:PriceAmount                       BT-146  {line}.unit_price
    cbc:BaseQuantity                      BT-149  {line}.base_quantity
      @unitCode                           BT-150  {line}.unit
"""


class Row(NamedTuple):
    """One row of the table, with its whole place: names below the root, joined by slashes."""

    place: str
    term: str
    field: str


def _rows() -> Iterator[Row]:
    """The table, its indentation written out."""
    above: list[str] = []
    for line in _DOCUMENT.strip().splitlines():
        name, term, field = line.split()
        above[(len(line) - len(line.lstrip())) // 2 :] = [name]
        yield Row("/".join(above), term, field)


ROWS: Final = tuple(_rows())
_FIELDS: Final[Mapping[str, str]] = {row.place: row.field for row in ROWS}
_TERMS: Final[Mapping[str, str]] = {
    **{row.term: row.field for row in ROWS if row.term != "-" and row.field != GATEWAY},
    "BT-111": "fx.rate",  # the VAT in SAR has no place of its own: its element is that of BT-110
}
_LISTS: Final = {"line": "lines", "reduction": "lines", "allowance": "reductions", "tax": "lines"}
"""What to look through where a rule does not say which of several parts it is about."""
_STEP: Final = re.compile(r"/([^/\[]+)(?:\[(\d+)\])?")


def traced(findings: Iterable[Finding], invoice: Invoice) -> tuple[Finding, ...]:
    """The findings about an invoice's document, each with the field of the order to look at, where there is one."""
    return tuple(replace(each, order_field=order_field(each.path, each.term, invoice)) for each in findings)


def order_field(path: str, term: str, invoice: Invoice) -> str:
    """The field that an element of the document comes from; empty if the gateway made it and no order explains it."""
    place = _Place.of(path)
    field = _field(place.name, term)
    named = re.match(r"\{(\w+)\}", field)
    if named is None:
        return field + _missing_part(invoice.buyer) if field == "buyer.address" else field
    origin = _origin(named[1], place, invoice)
    if origin is None:
        return _LISTS[named[1]]
    if named[1] == "allowance" and origin.startswith("lines["):
        return origin  # a line of the shop below zero: its price is what is taken off
    if origin == "prepayments":
        return origin
    return origin and origin + field[named.end() :]


def _field(place: str, term: str) -> str:
    """By its own row, if the element holds a value of the order. Of a group, and of what is not the order's, the rule's
    term tells more than the place; without one the nearest group above has to do."""
    own = _FIELDS.get(place, GATEWAY)
    if own != GATEWAY and place.rpartition("/")[2].startswith("cbc:"):
        return own
    if term in _TERMS:
        return _TERMS[term]
    while place and _FIELDS.get(place, GATEWAY) == GATEWAY:
        place = place.rpartition("/")[0]
    return _FIELDS.get(place, "")


def _missing_part(party: Party | None) -> str:
    """Of an address in the Kingdom, which needs all of them (BR-KSA-63), the first part that is not there."""
    address = party and party.address
    if not address or address.country != "SA":
        return ""
    return next((f".{part.name}" for part in fields(address) if not getattr(address, part.name)), "")


class _Place(NamedTuple):
    """An XPath taken apart: the names below the root, and for each of them which of its twins it is (from 0)."""

    name: str
    twins: Mapping[str, int]

    @classmethod
    def of(cls, path: str) -> "_Place":
        name, twins = "", {}
        for step, twin in _STEP.findall(path)[1:]:
            name = f"{name}/{step}".removeprefix("/")
            twins[name] = int(twin or 1) - 1
        return cls(name, twins)

    def among(self, parts: Sequence[T], name: str) -> T | None:
        """The one of the parts of that name that the place lies in."""
        twin = self.twins.get(name)
        return parts[twin] if twin is not None and twin < len(parts) else None


def _origin(part: str, place: _Place, invoice: Invoice) -> str | None:
    """Where the part that a place lies in comes from, empty if from no order; None if the place lies in none."""
    lines: tuple[Line | Deduction, ...] = (*invoice.lines, *invoice.deductions)
    line = place.among(lines, "cac:InvoiceLine")
    if part == "tax":
        return _tax_origin(place, invoice, line)
    found: Line | Deduction | Reduction | Charge | Allowance | DocumentCharge | None = line
    if part == "reduction":
        adjustments: tuple[Reduction | Charge, ...] = (
            (*line.reductions, *line.charges) if isinstance(line, Line) else ()
        )
        found = place.among(adjustments, "cac:InvoiceLine/cac:AllowanceCharge") or line
    elif part == "allowance":
        found = place.among(_on_the_whole(invoice), "cac:AllowanceCharge")
    return found.origin if found else None


def _on_the_whole(invoice: Invoice) -> tuple[Allowance | DocumentCharge, ...]:
    """In the order in which the document has them."""
    return (*invoice.allowances, *invoice.charges)


def _tax_origin(place: _Place, invoice: Invoice, line: Line | Deduction | None) -> str | None:
    """Of a VAT group, an allowance or a charge: the tax of the first line that has it."""
    if line is None:
        holder = place.among(invoice.vat_groups, "cac:TaxTotal/cac:TaxSubtotal")
        other = holder or place.among(_on_the_whole(invoice), "cac:AllowanceCharge")
        line = next((each for each in invoice.lines if other and each.tax == other.tax), None)
    if isinstance(line, Deduction):
        return line.origin
    return None if line is None else line.origin and f"{line.origin}.tax"
