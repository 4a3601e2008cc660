"""The parts of a UBL invoice that rules speak of, by the field's own nouns.

Each class names the children of one UBL type: one where the schema allows one, a tuple where it repeats. Nothing
here judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import isnan, nan

from gateway.rules.view import Lazy, Node, Number, add_up, declare, many, one, single
from gateway.rules.xpath import NAN, ZERO, in_cents, normalize_space, round_to_cents, to_boolean

# Compared with as an xs:decimal, so that '-0' is less.
_NOTHING = Decimal("0.00")


class Indicator(Node):
    @Lazy
    def is_true(self) -> bool:
        return bool(self) and to_boolean(self.text)

    @Lazy
    def is_false(self) -> bool:
        return bool(self) and not to_boolean(self.text)


class TypeCode(Node):
    @Lazy
    def name(self) -> str:
        """KSA-2, the transaction code `NNPNESBCG`."""
        return self.attribute("name")


class Identifier(Node):
    @Lazy
    def scheme(self) -> str:
        return normalize_space(self.attribute("schemeID"))


class BinaryObject(Node):
    @Lazy
    def mime(self) -> str:
        return normalize_space(self.attribute("mimeCode"))


# -- VAT ------------------------------------------------------------------------------------------------------


class TaxScheme(Node):
    id = one(Identifier, "cbc:ID")


class TaxCategory(Node):
    id = one(Identifier, "cbc:ID")
    percent = one(Number, "cbc:Percent")
    reason_code = one(Node, "cbc:TaxExemptionReasonCode")
    reasons = many(Node, "cbc:TaxExemptionReason")
    scheme = one(TaxScheme, "cac:TaxScheme")

    @property
    def is_vat(self) -> bool:
        scheme = self.scheme.id.text
        return scheme == "VAT" or normalize_space(scheme.upper()) == "VAT"

    @property
    def code(self) -> str:
        """The category code whatever the scheme."""
        return self.id.normal

    @Lazy
    def vat_code(self) -> str:
        """The category code where the scheme is VAT, else empty."""
        return self.id.normal if self.is_vat else ""

    @property
    def reason(self) -> Node:
        return single(Node, self.reasons)


class AllowanceCharge(Node):
    indicator = one(Indicator, "cbc:ChargeIndicator")
    reason_code = one(Node, "cbc:AllowanceChargeReasonCode")
    reasons = many(Node, "cbc:AllowanceChargeReason")
    multiplier = one(Number, "cbc:MultiplierFactorNumeric")
    amount = one(Number, "cbc:Amount")
    base = one(Number, "cbc:BaseAmount")
    categories = many(TaxCategory, "cac:TaxCategory")

    @property
    def reason(self) -> Node:
        return single(Node, self.reasons)

    @property
    def is_on_price(self) -> bool:
        return self.stands_in("cac:Price")


class TaxSubtotal(Node):
    taxable = one(Number, "cbc:TaxableAmount")
    tax = one(Number, "cbc:TaxAmount")
    category = one(TaxCategory, "cac:TaxCategory")

    @Lazy
    def vat_at_rate(self) -> Decimal:
        """Taxable amount times rate, first to cents half-even, as the official conditions compute it in doubles."""
        rate = self.category.percent.double if self.category.is_vat else nan
        product = self.taxable.double * (rate / 100)
        return NAN if isnan(product) else Decimal(in_cents(product))


class TaxTotal(Node):
    amount = one(Number, "cbc:TaxAmount")
    rounding = one(Number, "cbc:RoundingAmount")
    subtotals = many(TaxSubtotal, "cac:TaxSubtotal")

    @Lazy
    def taxable_at_standard_rates(self) -> Decimal:
        """Of all groups of category S."""
        return add_up([each.taxable for each in self.subtotals if each.category.code == "S"])


# -- lines ----------------------------------------------------------------------------------------------------


class ItemProperty(Node):
    name = one(Node, "cbc:Name")
    value = one(Node, "cbc:Value")


class ItemIdentification(Node):
    id = one(Identifier, "cbc:ID")


class Item(Node):
    name = one(Node, "cbc:Name")
    buyers_id = one(ItemIdentification, "cac:BuyersItemIdentification")
    sellers_id = one(ItemIdentification, "cac:SellersItemIdentification")
    standard_id = one(ItemIdentification, "cac:StandardItemIdentification")
    categories = many(TaxCategory, "cac:ClassifiedTaxCategory")


class Price(Node):
    amount = one(Number, "cbc:PriceAmount")
    base_quantity = one(Number, "cbc:BaseQuantity")


class PriorDocument(Node):
    """The prepayment invoice that a line deducts."""

    id = one(Identifier, "cbc:ID")
    issue_date = one(Node, "cbc:IssueDate")
    issue_time = one(Node, "cbc:IssueTime")
    type_code = one(Node, "cbc:DocumentTypeCode")


class Reduced(Node):
    """What allowances lower and charges raise: a line, or the whole document."""

    allowances_charges = many(AllowanceCharge, "cac:AllowanceCharge")

    @Lazy
    def allowances(self) -> tuple[AllowanceCharge, ...]:
        return tuple([each for each in self.allowances_charges if each.indicator.is_false])

    @Lazy
    def charges(self) -> tuple[AllowanceCharge, ...]:
        return tuple([each for each in self.allowances_charges if each.indicator.is_true])


class Line(Reduced):
    id = one(Identifier, "cbc:ID")
    quantity = one(Number, "cbc:InvoicedQuantity")
    net = one(Number, "cbc:LineExtensionAmount")
    prior_documents = many(PriorDocument, "cac:DocumentReference")
    tax_totals = many(TaxTotal, "cac:TaxTotal")
    item = one(Item, "cac:Item")
    price = one(Price, "cac:Price")

    @Lazy
    def subtotals(self) -> tuple[TaxSubtotal, ...]:
        return tuple([subtotal for total in self.tax_totals for subtotal in total.subtotals])

    @Lazy
    def states_what_was_taxed(self) -> bool:
        """As the deduction of a prepayment does, in any of its subtotals: VAT, taxable amount, rate and category."""
        return (
            any(each.tax for each in self.subtotals)
            and any(each.taxable for each in self.subtotals)
            and any(each.category.percent for each in self.subtotals)
            and any(each.category.id for each in self.subtotals)
        )

    @Lazy
    def charges_nothing(self) -> bool:
        """As the deduction of a prepayment does: net, VAT, price and allowances are zero."""
        return (
            self.net.equals(_NOTHING)
            and any(total.amount.equals(_NOTHING) for total in self.tax_totals)
            and any(total.rounding.equals(0) for total in self.tax_totals)
            and self.price.amount.equals(_NOTHING)
            and (not self.allowances_charges or any(each.amount.equals(_NOTHING) for each in self.allowances_charges))
        )


# -- parties --------------------------------------------------------------------------------------------------


class Country(Node):
    code = one(Node, "cbc:IdentificationCode")


class Address(Node):
    street = one(Node, "cbc:StreetName")
    additional_street = one(Node, "cbc:AdditionalStreetName")
    building = one(Node, "cbc:BuildingNumber")
    district = one(Node, "cbc:CitySubdivisionName")
    city = one(Node, "cbc:CityName")
    postal_zone = one(Node, "cbc:PostalZone")
    subentity = one(Node, "cbc:CountrySubentity")
    country = one(Country, "cac:Country")


class PartyIdentification(Node):
    id = one(Identifier, "cbc:ID")


class PartyTaxScheme(Node):
    company_id = one(Node, "cbc:CompanyID")
    scheme = one(TaxScheme, "cac:TaxScheme")


class LegalEntity(Node):
    name = one(Node, "cbc:RegistrationName")


class Contact(Node):
    name = one(Node, "cbc:Name")
    telephone = one(Node, "cbc:Telephone")
    notes = many(Node, "cbc:Note")


class Party(Node):
    identifications = many(PartyIdentification, "cac:PartyIdentification")
    address = one(Address, "cac:PostalAddress")
    tax_schemes = many(PartyTaxScheme, "cac:PartyTaxScheme")
    legal_entities = many(LegalEntity, "cac:PartyLegalEntity")
    contact = one(Contact, "cac:Contact")

    @Lazy
    def ids(self) -> tuple[Identifier, ...]:
        return tuple([each.id for each in self.identifications if each.id])

    @Lazy
    def ids_of_schemes(self) -> tuple[Identifier, ...]:
        """Those that name a scheme, be it by empty text."""
        return tuple([each for each in self.ids if each.element is not None and "schemeID" in each.element.attrib])

    @Lazy
    def vat_numbers(self) -> tuple[Node, ...]:
        return tuple([each.company_id for each in self.tax_schemes if each.company_id])

    @Lazy
    def names(self) -> tuple[Node, ...]:
        return tuple([each.name for each in self.legal_entities if each.name])


class PartyRole(Node):
    party = one(Party, "cac:Party")


# -- the document ---------------------------------------------------------------------------------------------


class MonetaryTotal(Node):
    lines = one(Number, "cbc:LineExtensionAmount")
    tax_exclusive = one(Number, "cbc:TaxExclusiveAmount")
    tax_inclusive = one(Number, "cbc:TaxInclusiveAmount")
    allowances = one(Number, "cbc:AllowanceTotalAmount")
    charges = one(Number, "cbc:ChargeTotalAmount")
    prepaid = one(Number, "cbc:PrepaidAmount")
    rounding = one(Number, "cbc:PayableRoundingAmount")
    payable = one(Number, "cbc:PayableAmount")


class Attachment(Node):
    object = one(BinaryObject, "cbc:EmbeddedDocumentBinaryObject")


class DocumentReference(Node):
    id = one(Identifier, "cbc:ID")
    uuid = one(Node, "cbc:UUID")
    attachment = one(Attachment, "cac:Attachment")


class BillingReference(Node):
    invoice = one(DocumentReference, "cac:InvoiceDocumentReference")


class Delivery(Node):
    actual_date = one(Node, "cbc:ActualDeliveryDate")
    latest_date = one(Node, "cbc:LatestDeliveryDate")


class FinancialAccount(Node):
    id = one(Identifier, "cbc:ID")
    notes = many(Node, "cbc:PaymentNote")


class PaymentMeans(Node):
    code = one(Node, "cbc:PaymentMeansCode")
    instruction_notes = many(Node, "cbc:InstructionNote")
    account = one(FinancialAccount, "cac:PayeeFinancialAccount")


class Signature(Node):
    id = one(Identifier, "cbc:ID")
    method = one(Node, "cbc:SignatureMethod")


class SignatureInformation(Node):
    id = one(Identifier, "cbc:ID")
    referenced_ids = many(Node, "sbc:ReferencedSignatureID")


class ExchangeRate(Node):
    source = one(Node, "cbc:SourceCurrencyCode")
    target = one(Node, "cbc:TargetCurrencyCode")
    rate = one(Number, "cbc:CalculationRate")


class Invoice(Reduced):
    profile = one(Node, "cbc:ProfileID")
    id = one(Identifier, "cbc:ID")
    uuid = one(Node, "cbc:UUID")
    issue_date = one(Node, "cbc:IssueDate")
    issue_time = one(Node, "cbc:IssueTime")
    type_code = one(TypeCode, "cbc:InvoiceTypeCode")
    notes = many(Node, "cbc:Note")
    currency = one(Node, "cbc:DocumentCurrencyCode")
    tax_currency = one(Node, "cbc:TaxCurrencyCode")
    order = one(DocumentReference, "cac:OrderReference")
    contracts = many(DocumentReference, "cac:ContractDocumentReference")
    references = many(DocumentReference, "cac:AdditionalDocumentReference")
    seller = one(PartyRole, "cac:AccountingSupplierParty")
    buyer = one(PartyRole, "cac:AccountingCustomerParty")
    exchange_rate = one(ExchangeRate, "cac:TaxExchangeRate")
    tax_totals = many(TaxTotal, "cac:TaxTotal")
    total = one(MonetaryTotal, "cac:LegalMonetaryTotal")
    lines = many(Line, "cac:InvoiceLine")

    @Lazy
    def subtotals(self) -> tuple[TaxSubtotal, ...]:
        return tuple([subtotal for total in self.tax_totals for subtotal in total.subtotals])

    @Lazy
    def breaks_down_standard_rates(self) -> bool:
        """Some group is of category S, written without blanks."""
        return any("S" in each.category.id.texts for each in self.subtotals)

    @Lazy
    def breakdowns(self) -> tuple[TaxTotal, ...]:
        """The tax totals with subtotals (BG-23)."""
        return tuple([total for total in self.tax_totals if total.subtotals])

    @Lazy
    def accounting_totals(self) -> tuple[TaxTotal, ...]:
        """The tax totals without subtotals (BT-111)."""
        return tuple([total for total in self.tax_totals if not total.subtotals])

    @Lazy
    def sum_of_allowances(self) -> Decimal:
        return round_to_cents(add_up([each.amount for each in self.allowances]))

    @Lazy
    def sum_of_charges(self) -> Decimal:
        return round_to_cents(add_up([each.amount for each in self.charges]))

    @Lazy
    def net_in_doubles(self) -> float:
        """`sum()` of the net amounts of the lines."""
        return _in_doubles([line.net for line in self.lines])

    @Lazy
    def vat_codes_used(self) -> frozenset[str]:
        """The VAT categories of its lines, allowances and charges."""
        of_lines = [each.vat_code for line in self.lines for each in line.item.categories]
        return frozenset(
            [*of_lines, *[each.vat_code for found in self.allowances_charges for each in found.categories]]
        )

    @Lazy
    def taxable_of(self) -> dict[str, Decimal]:
        """By category code: lines and charges less allowances. The official conditions do not ask for the scheme."""
        sums: dict[str, Decimal] = {}
        for line in self.lines:
            _add(sums, line.net, line.item.categories)
        for charge in self.charges:
            _add(sums, charge.amount, charge.categories)
        for allowance in self.allowances:
            _add(sums, allowance.amount, allowance.categories, sign=-1)
        return sums

    @Lazy
    def line_reductions(self) -> tuple[AllowanceCharge, ...]:
        """The allowances and charges of its lines."""
        return tuple([each for line in self.lines for each in line.allowances_charges])

    @Lazy
    def line_categories(self) -> tuple[TaxCategory, ...]:
        """Of the VAT that lines state in subtotals, as the deduction of a prepayment does."""
        return tuple([each.category for line in self.lines for each in line.subtotals if each.category])

    @Lazy
    def standard_categories(self) -> tuple[TaxCategory, ...]:
        """Of category S, wherever the document states a rate."""
        found = [
            *[category for each in self.allowances_charges for category in each.categories],
            *[each.category for each in self.subtotals],
            *[category for line in self.lines for category in line.item.categories],
            *self.line_categories,
        ]
        return tuple([category for category in found if category.vat_code == "S"])

    @Lazy
    def prepaid_taxable(self) -> float:
        """`sum()` of what the lines state as taxed before, in doubles and document order."""
        return _in_doubles([each.taxable for line in self.lines for each in line.subtotals])

    @Lazy
    def prepaid_vat(self) -> float:
        return _in_doubles([each.tax for line in self.lines for each in line.subtotals])

    @Lazy
    def has_prepayment(self) -> bool:
        return self.total.prepaid.exceeds(0)

    @Lazy
    def _references_by_name(self) -> dict[str, list[DocumentReference]]:
        found: dict[str, list[DocumentReference]] = {}
        for each in self.references:
            found.setdefault(each.id.normal, []).append(each)
        return found

    def references_named(self, name: str) -> list[DocumentReference]:
        """The additional documents ICV, PIH and QR."""
        return self._references_by_name.get(name, [])

    @Lazy
    def prior_documents(self) -> tuple[PriorDocument, ...]:
        return tuple([prior for line in self.lines for prior in line.prior_documents])


def _in_doubles(numbers: Iterable[Number]) -> float:
    """`sum()` of untyped values: one of xs:double, in document order."""
    total = 0.0
    for number in numbers:
        total += number.double if number else 0.0
    return total


def _add(sums: dict[str, Decimal], amount: Number, categories: tuple[TaxCategory, ...], sign: int = 1) -> None:
    codes = (categories[0].code,) if len(categories) == 1 else {category.code for category in categories}
    for code in codes:
        sums[code] = sums.get(code, ZERO) + (amount.decimal * sign if amount else 0)


declare(Invoice, "ubl:Invoice")
declare(Delivery, "cac:Delivery")
declare(PaymentMeans, "cac:PaymentMeans")
declare(BillingReference, "cac:BillingReference")
declare(Signature, "cac:Signature")
declare(SignatureInformation, "sac:SignatureInformation")
declare(ItemProperty, "cac:AdditionalItemProperty")
