"""In which currencies amounts are, and at what rate they were exchanged."""

from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import (
    AMOUNT,
    CURRENCY,
    EN16931_INVOICE,
    EN16931_TAX_CURRENCY,
    EXCHANGE_RATE,
    INVOICE,
)
from gateway.rules.parts import ExchangeRate, Invoice, TaxTotal
from gateway.rules.view import Node, Number, single, tag_of
from gateway.rules.xpath import code_list, matches, normalize_space, round_double

# ISO 4217 as BR-KSA-CL-01 carries it, which is not quite the list of BR-CL-04.
CURRENCIES: Final = code_list(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
    "GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD "
    "KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
    "NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STD SVC "
    "SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UZS VEF VND VUV WST XAF XAG XAU XBA XBB "
    "XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWL"
)
_CURRENCY_CODE: Final = tag_of("cbc:DocumentCurrencyCode")


def _code(bearer: Node) -> str | None:
    """The currency a code element names, or the one an amount is in; None if the amount does not say."""
    assert bearer.element is not None, "only what is there is judged"
    return bearer.text if bearer.element.tag == _CURRENCY_CODE else bearer.element.get("currencyID")


@rule("BR-KSA-CL-01", CURRENCY, term="BT-5", value=lambda bearer: _code(bearer) or "")
def currency_is_listed(bearer: Node) -> bool:
    code = _code(bearer)
    return code is None or code in CURRENCIES or normalize_space(code) in CURRENCIES


@rule(
    "BR-KSA-CL-02", AMOUNT, term="BT-5", value=lambda amount: amount.currency,
    expected=lambda amount: everywhere(amount).document_currency,
)  # fmt: skip
def amount_is_in_the_document_currency(amount: Number) -> bool:
    # The attribute is taken for a pattern and may match any part of the document's currency.
    currency, expected = amount.currency, everywhere(amount).document_currency
    if currency == expected and currency in CURRENCIES:
        return True
    return bool(currency) and matches(expected, currency)


@rule("BR-KSA-68", INVOICE, term="BT-6", place=lambda invoice: invoice.tax_currency)
def tax_currency_is_given(invoice: Invoice) -> bool:
    return invoice.tax_currency.filled


@rule("BR-KSA-EN16931-02", EN16931_TAX_CURRENCY, term="BT-6")
def tax_currency_is_the_riyal(code: Node) -> bool:
    return normalize_space(code.text.upper()) == "SAR"


@rule("BR-KSA-EN16931-08", EN16931_INVOICE, term="BT-110", value=lambda _: "", severity=WARNING)
def there_is_one_vat_total_with_a_breakdown(invoice: Invoice) -> bool:
    return len(invoice.breakdowns) == 1


@rule("BR-KSA-EN16931-09", EN16931_TAX_CURRENCY, term="BT-111", place=lambda c: c.up(Invoice), severity=WARNING)
def there_is_one_vat_total_in_the_tax_currency(code: Node) -> bool:
    return len(code.up(Invoice).accounting_totals) == 1


def _only(totals: tuple[TaxTotal, ...]) -> Number:
    return single(TaxTotal, totals).amount


@rule(
    "BR-KSA-97", EN16931_INVOICE, term="BT-111", place=lambda invoice: _only(invoice.accounting_totals),
    since="R3.3.9", severity=WARNING,
)  # fmt: skip
def vat_in_riyals_differs_from_vat_in_foreign_currency(invoice: Invoice) -> bool:
    if not invoice.currency.filled or invoice.currency.text == "SAR":
        return True
    totals = invoice.breakdowns, invoice.accounting_totals
    if not all(any(each.amount.exceeds(0) for each in found) for found in totals):
        return True
    foreign, riyals = (round_double(_only(found).double * 100) for found in totals)
    return foreign != riyals


@rule("BR-KSA-87", EXCHANGE_RATE, term="KSA-36", since="R3.3.4", value=lambda _: "", severity=WARNING)
def exchange_rate_is_complete(exchange: ExchangeRate) -> bool:
    return exchange.source.filled and exchange.target.filled and exchange.rate.filled


@rule("BR-KSA-88", EXCHANGE_RATE, term="KSA-37", place=lambda exchange: exchange.source, since="R3.3.4")
def rate_is_from_the_document_currency(exchange: ExchangeRate) -> bool:
    return not exchange.source.filled or matches(everywhere(exchange).document_currency, exchange.source.text)


@rule("BR-KSA-89", EXCHANGE_RATE, term="KSA-38", place=lambda exchange: exchange.target, since="R3.3.4")
def rate_is_to_the_tax_currency(exchange: ExchangeRate) -> bool:
    return not exchange.target.filled or matches(everywhere(exchange).tax_currency, exchange.target.text)


@rule("BR-KSA-90", EXCHANGE_RATE, term="KSA-39", place=lambda exchange: exchange.rate, since="R3.3.4")
def rate_has_at_most_14_characters(exchange: ExchangeRate) -> bool:
    return len(exchange.rate.normal) < 15
