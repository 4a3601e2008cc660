"""Codes and the lists they must come from."""

from typing import Final

from gateway.codes import CURRENCIES
from gateway.rules.book import rule
from gateway.rules.en16931.contexts import AMOUNT, CATEGORY_CODE, DOCUMENT_CURRENCY, TAX_CURRENCY, TYPE_CODE
from gateway.rules.view import Node, Number
from gateway.rules.xpath import code_list, normalize_space

# UNTDID 1001, the part for invoices.
INVOICE_TYPES: Final = code_list(
    "80 82 84 130 202 203 204 211 295 325 326 380 381 383 384 385 386 387 388 389 390 393 394 395 456 457 527 575 "
    "623 633 751 780 935"
)
# UNCL 5305.
TAX_CATEGORIES: Final = code_list("AE L M E S Z G O K B")


@rule("BR-CL-01", TYPE_CODE, term="BT-3")
def document_type_is_listed(code: Node) -> bool:
    return code.normal in INVOICE_TYPES


@rule("BR-CL-03", AMOUNT, term="BT-5", value=lambda amount: amount.currency)
def amount_currency_is_listed(amount: Number) -> bool:
    currency = amount.currency
    return not currency or currency in CURRENCIES or normalize_space(currency) in CURRENCIES


@rule("BR-CL-04", DOCUMENT_CURRENCY, term="BT-5")
def document_currency_is_listed(code: Node) -> bool:
    return code.normal in CURRENCIES


@rule("BR-CL-05", TAX_CURRENCY, term="BT-6")
def tax_currency_is_listed(code: Node) -> bool:
    return code.normal in CURRENCIES


@rule("BR-CL-18", CATEGORY_CODE, term="BT-118")
def tax_category_is_listed(code: Node) -> bool:
    return code.normal in TAX_CATEGORIES
