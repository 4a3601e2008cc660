"""Where the assertions of the KSA part apply: their contexts with the official priorities.

Rules grouped by subject share them. Only two contexts shadow another here: the categories of citizens' education and
health, and the attachment of the previous hash.
"""

from typing import Final

from gateway.finding import RuleSet
from gateway.rules.book import Pattern
from gateway.rules.everywhere import everywhere
from gateway.rules.parts import (
    Address,
    AllowanceCharge,
    Attachment,
    BinaryObject,
    Contact,
    Country,
    DocumentReference,
    ExchangeRate,
    Identifier,
    Indicator,
    Invoice,
    Line,
    Party,
    PartyRole,
    TaxCategory,
    TaxScheme,
    TaxTotal,
    TypeCode,
)
from gateway.rules.view import Node, Number

_UNTAXED: Final = frozenset({"Z", "E", "O"})
_BREAKDOWN: Final = "/*/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory"
_BUYER: Final = "cac:AccountingCustomerParty/cac:Party"
_SELLER: Final = "cac:AccountingSupplierParty/cac:Party"
_LINE_SUBTOTAL: Final = "cac:InvoiceLine/cac:TaxTotal/cac:TaxSubtotal"

# -- the first pattern, the longest ---------------------------------------------------------------------------

MAIN: Final = Pattern(RuleSet.KSA)

INVOICE: Final = MAIN.context(49, Invoice, "/ubl:Invoice")
ANY_CHARGE: Final = INVOICE.each(
    lambda invoice: [
        each for each in everywhere(invoice).allowances_charges if each.indicator.is_true and not each.is_on_price
    ]
)
LINE: Final = MAIN.context(49, Line, "/ubl:Invoice/cac:InvoiceLine")
LINE_SUBTOTAL: Final = LINE.each(lambda line: line.subtotals)
LINE_WITH_PREPAYMENT: Final = MAIN.context(
    49, Line, "/ubl:Invoice/cac:InvoiceLine", when=lambda line: line.up(Invoice).has_prepayment
)
PRIOR_DOCUMENT: Final = LINE_WITH_PREPAYMENT.each(lambda line: line.prior_documents)
PREPAID_SUBTOTAL: Final = LINE_WITH_PREPAYMENT.each(lambda line: line.subtotals)
CITIZENS_CATEGORY: Final = MAIN.context(
    48,
    TaxCategory,
    "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory",
    when=lambda category: category.reason_code.text in ("VATEX-SA-EDU", "VATEX-SA-HEA"),
)
ISSUE_DATE: Final = MAIN.context(47, Node, "cbc:IssueDate")
TYPE_CODE: Final = MAIN.context(46, TypeCode, "cbc:InvoiceTypeCode")
BUYER_ID: Final = MAIN.context(44, Identifier, f"{_BUYER}/cac:PartyIdentification/cbc:ID")
SELLER_ADDRESS: Final = MAIN.context(43, Address, f"{_SELLER}/cac:PostalAddress")
PIH_ATTACHMENT: Final = MAIN.context(
    41,
    Attachment,
    "cac:AdditionalDocumentReference/cac:Attachment",
    when=lambda attachment: attachment.up(DocumentReference).id.normal == "PIH",
)
ATTACHMENT: Final = MAIN.context(40, Attachment, "cac:AdditionalDocumentReference/cac:Attachment")
LATEST_DELIVERY: Final = MAIN.context(39, Node, "cac:Delivery/cbc:LatestDeliveryDate")
SELLER: Final = MAIN.context(38, Party, _SELLER)
SELLER_VAT_SCHEME: Final = MAIN.context(
    37,
    TaxScheme,
    f"{_SELLER}/cac:PartyTaxScheme/cac:TaxScheme",
    when=lambda scheme: scheme.id.text == "VAT" and bool(everywhere(scheme).seller_vat_numbers),
)
BUYER: Final = MAIN.context(36, Party, _BUYER)
LINE_TAX: Final = MAIN.context(35, TaxTotal, "cac:InvoiceLine/cac:TaxTotal")
CATEGORY_CODE: Final = MAIN.context(
    35,
    Node,
    "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:AllowanceCharge/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory/cbc:ID",
)
UNTAXED_BREAKDOWN: Final = MAIN.context(33, TaxCategory, _BREAKDOWN, when=lambda category: category.code in _UNTAXED)
EXCHANGE_RATE: Final = MAIN.context(22, ExchangeRate, "/ubl:Invoice/cac:TaxExchangeRate")

# -- parties and the kinds of document ------------------------------------------------------------------------

PARTY_ROLE: Final = Pattern(RuleSet.KSA).context(
    50, PartyRole, "cac:AccountingSupplierParty", "cac:AccountingCustomerParty"
)
SAUDI_BUYER: Final = Pattern(RuleSet.KSA).context(
    29, Country, f"{_BUYER}/cac:PostalAddress/cac:Country", when=lambda country: country.code.text == "SA"
)
CODED: Final = Pattern(RuleSet.KSA).context(
    28, TypeCode, "cbc:InvoiceTypeCode", when=lambda code: code.name[:2] in ("01", "02")
)
# For all type codes they are the same, so one of them is enough.
PAYMENT_CODE: Final = CODED.each(
    lambda code: everywhere(code).payment_codes if code is everywhere(code).first_coded else ()
)
STANDARD_INVOICE: Final = Pattern(RuleSet.KSA).context(
    27,
    TypeCode,
    "cbc:InvoiceTypeCode",
    when=lambda code: code.name[:2] == "01" and everywhere(code).type_of_invoice == "388",
)
NOTE: Final = Pattern(RuleSet.KSA).context(
    25, Invoice, "/ubl:Invoice", when=lambda invoice: invoice.type_code.text in ("381", "383")
)
SIMPLIFIED: Final = Pattern(RuleSet.KSA).context(
    24, TypeCode, "cbc:InvoiceTypeCode", when=lambda code: code.name[:2] == "02"
)
EXPORT: Final = Pattern(RuleSet.KSA).context(
    23, TypeCode, "cbc:InvoiceTypeCode", when=lambda code: code.name[4:5] == "1"
)

BUYER_DETAILS: Final = Pattern(RuleSet.KSA)
BUYER_VAT_NUMBER: Final = BUYER_DETAILS.context(22, Node, f"{_BUYER}/cac:PartyTaxScheme/cbc:CompanyID")
BUYER_CONTACT: Final = BUYER_DETAILS.context(22, Contact, f"{_BUYER}/cac:Contact")

# -- allowances, charges, rates -------------------------------------------------------------------------------

REASONS: Final = Pattern(RuleSet.KSA)
WHOLE: Final = REASONS.context(19, Invoice, "/ubl:Invoice")
ANY_ALLOWANCE: Final = WHOLE.each(
    lambda invoice: [
        each for each in everywhere(invoice).allowances_charges if each.indicator.is_false and not each.is_on_price
    ]
)
DOCUMENT_CHARGE: Final = WHOLE.each(lambda invoice: invoice.charges)
DOCUMENT_ALLOWANCE: Final = WHOLE.each(lambda invoice: invoice.allowances)
LINE_CHARGE: Final = WHOLE.each(lambda invoice: [each for each in invoice.line_reductions if each.indicator.is_true])
LINE_ALLOWANCE: Final = WHOLE.each(
    lambda invoice: [each for each in invoice.line_reductions if each.indicator.is_false]
)
OUT_OF_SCOPE_ITEM: Final = WHOLE.each(
    lambda invoice: [each for line in invoice.lines for each in line.item.categories if each.code == "O"]
)
OUT_OF_SCOPE_ALLOWANCE: Final = WHOLE.each(
    lambda invoice: [each for found in invoice.allowances for each in found.categories if each.code == "O"]
)
OUT_OF_SCOPE_CHARGE: Final = WHOLE.each(
    lambda invoice: [each for found in invoice.charges for each in found.categories if each.code == "O"]
)
RATE: Final = REASONS.context(
    18,
    Number,
    "cac:AllowanceCharge/cac:TaxCategory/cbc:Percent",
    "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:Percent",
    "cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent",
)
ANY_LINE: Final = REASONS.context(17, Line, "cac:InvoiceLine")

# -- codes and currencies -------------------------------------------------------------------------------------

# The official context names attributes; here it is the elements that bear them.
CURRENCY: Final = Pattern(RuleSet.KSA).context(
    16,
    Node,
    "cbc:DocumentCurrencyCode",
    f"{_LINE_SUBTOTAL}/cbc:TaxAmount",
    f"{_LINE_SUBTOTAL}/cbc:TaxableAmount",
    "cac:LegalMonetaryTotal/cbc:PayableRoundingAmount",
)
CODES: Final = Pattern(RuleSet.KSA)
AMOUNT: Final = CODES.context(
    15,
    Number,
    "cbc:Amount",
    "cbc:BaseAmount",
    "ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cbc:TaxableAmount",
    "ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount",
    "cbc:LineExtensionAmount",
    "cbc:PriceAmount",
    "cbc:TaxExclusiveAmount",
    "cbc:TaxInclusiveAmount",
    "cbc:AllowanceTotalAmount",
    "cbc:ChargeTotalAmount",
    "cbc:PrepaidAmount",
    "cbc:PayableRoundingAmount",
    "cbc:PayableAmount",
    "cac:InvoiceLine/cac:TaxTotal/cbc:TaxAmount",
    "cac:InvoiceLine/cac:TaxTotal/cbc:RoundingAmount",
    f"{_LINE_SUBTOTAL}/cbc:TaxAmount",
    f"{_LINE_SUBTOTAL}/cbc:TaxableAmount",
)
EMBEDDED_OBJECT: Final = CODES.context(
    14, BinaryObject, "cac:AdditionalDocumentReference/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
)
UNTAXED_CATEGORY: Final = CODES.context(
    13,
    TaxCategory,
    "ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory",
    when=lambda category: category.code in _UNTAXED,
)
# The official context is any standard-rated category, but its assertions look at the whole document: so does this.
STANDARD_RATED: Final = Pattern(RuleSet.KSA).context(
    13, Invoice, "/ubl:Invoice", when=lambda invoice: everywhere(invoice).has_standard_rate
)
STANDARD_CATEGORY: Final = STANDARD_RATED.each(lambda invoice: invoice.standard_categories)
UNTAXED_LINE_CATEGORY: Final = STANDARD_RATED.each(
    lambda invoice: [each for each in invoice.line_categories if each.vat_code in _UNTAXED]
)

# -- formats --------------------------------------------------------------------------------------------------

FORMATS: Final = Pattern(RuleSet.KSA)
DATE: Final = FORMATS.context(
    11,
    Node,
    "cbc:IssueDate",
    "cbc:DueDate",
    "cac:Delivery/cbc:ActualDeliveryDate",
    "cac:Delivery/cbc:LatestDeliveryDate",
    "cbc:TaxPointDate",
)
PRIOR_TIME: Final = FORMATS.context(11, Node, "cac:InvoiceLine/cac:DocumentReference/cbc:IssueTime")
CHARGE_INDICATOR: Final = FORMATS.context(10, Indicator, "cac:AllowanceCharge/cbc:ChargeIndicator")
UNSIGNED_NUMBER: Final = FORMATS.context(
    9,
    Number,
    "ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cbc:TaxableAmount",
    "ubl:Invoice/cac:AllowanceCharge/cbc:Amount",
    "ubl:Invoice/cac:AllowanceCharge/cbc:BaseAmount",
    "ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:LineExtensionAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:AllowanceTotalAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:ChargeTotalAmount",
    "ubl:Invoice/cac:LegalMonetaryTotal/cbc:PrepaidAmount",
    "ubl:Invoice/cac:TaxTotal/cbc:TaxAmount",
    "ubl:Invoice/cac:InvoiceLine/cac:AllowanceCharge/cbc:Amount",
    "ubl:Invoice/cac:InvoiceLine/cac:AllowanceCharge/cbc:BaseAmount",
    "ubl:Invoice/cac:InvoiceLine/cac:TaxTotal/cbc:TaxAmount",
    "ubl:Invoice/cac:InvoiceLine/cac:Price/cbc:PriceAmount",
    "ubl:Invoice/cac:InvoiceLine/cac:Price/cac:AllowanceCharge/cbc:Amount",
    "ubl:Invoice/cac:InvoiceLine/cac:Price/cac:AllowanceCharge/cbc:BaseAmount",
    "ubl:Invoice/cac:InvoiceLine/cbc:InvoicedQuantity",
    f"ubl:Invoice/{_LINE_SUBTOTAL}/cbc:TaxableAmount",
    f"ubl:Invoice/{_LINE_SUBTOTAL}/cbc:TaxAmount",
    "ubl:Invoice/cac:TaxExchangeRate/cbc:CalculationRate",
)

# -- what EN 16931 asks, in the authority's words -------------------------------------------------------------

EN16931: Final = Pattern(RuleSet.KSA)
EN16931_INVOICE: Final = EN16931.context(8, Invoice, "/ubl:Invoice")
EN16931_TAX_CURRENCY: Final = EN16931.context(7, Node, "cbc:TaxCurrencyCode")
REDUCTION_WITH_BASE: Final = EN16931.context(
    6,
    AllowanceCharge,
    "/ubl:Invoice/cac:AllowanceCharge",
    "/ubl:Invoice/cac:InvoiceLine/cac:AllowanceCharge",
    when=lambda each: bool(each.base),
)
BASE_AMOUNT: Final = EN16931.context(
    5, Number, "ubl:Invoice/cac:AllowanceCharge/cbc:BaseAmount", "cac:InvoiceLine/cac:AllowanceCharge/cbc:BaseAmount"
)
MULTIPLIER: Final = EN16931.context(4, Number, "cac:AllowanceCharge/cbc:MultiplierFactorNumeric")
PRICE_ALLOWANCE: Final = EN16931.context(3, AllowanceCharge, "cac:InvoiceLine/cac:Price/cac:AllowanceCharge")
EN16931_LINE: Final = EN16931.context(2, Line, "cac:InvoiceLine")
BASE_QUANTITY: Final = EN16931.context(1, Number, "cac:InvoiceLine/cac:Price/cbc:BaseQuantity")
PRICE_BASE: Final = Pattern(RuleSet.KSA).context(
    0, Number, "cac:InvoiceLine/cac:Price/cac:AllowanceCharge/cbc:BaseAmount"
)
