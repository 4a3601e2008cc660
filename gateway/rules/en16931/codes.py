"""Codes and the lists they must come from."""

from typing import Final

from gateway.codes import CURRENCIES
from gateway.rules.book import WARNING, rule
from gateway.rules.en16931.contexts import (
    AMOUNT,
    CATEGORY_CODE,
    COUNTRY_CODE,
    DOCUMENT_CURRENCY,
    PAYMENT_CODE,
    TAX_CURRENCY,
    TYPE_CODE,
)
from gateway.rules.view import Node, Number
from gateway.rules.xpath import code_list, normalize_space

# UNTDID 1001, the part for invoices.
INVOICE_TYPES: Final = code_list(
    "80 82 84 130 202 203 204 211 295 325 326 380 381 383 384 385 386 387 388 389 390 393 394 395 456 457 527 575 "
    "623 633 751 780 935"
)
# ISO 3166-1, with 1A for Kosovo.
COUNTRIES: Final = code_list(
    "1A AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM "
    "FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT "
    "JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN "
    "MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT "
    "PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL "
    "TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW"
)
# UNTDID 4461.
PAYMENT_CODES: Final = code_list(
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 "
    "41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 74 75 76 77 78 91 92 "
    "93 94 95 96 97 ZZZ"
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


@rule("BR-CL-14", COUNTRY_CODE, term="BT-40", severity=WARNING)
def country_is_listed(code: Node) -> bool:
    return code.normal in COUNTRIES


@rule("BR-CL-16", PAYMENT_CODE, term="BT-81", severity=WARNING)
def means_of_payment_is_listed(code: Node) -> bool:
    return code.normal in PAYMENT_CODES


@rule("BR-CL-18", CATEGORY_CODE, term="BT-118")
def tax_category_is_listed(code: Node) -> bool:
    return code.normal in TAX_CATEGORIES
