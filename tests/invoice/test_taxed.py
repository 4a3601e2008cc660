"""A document's VAT in SAR: its own VAT in SAR, shared to the halala."""

from decimal import Decimal

from gateway.invoice.facts import ZERO
from gateway.invoice.taxed import Portion, Taxed, in_sar
from tests.ubl_documents import EXPORT, VAT5, VAT15


def test_the_vat_of_all_portions_is_the_vat_in_sar_of_the_document():
    portions = (Portion(VAT15, Decimal("6.80"), Decimal("1.02")), Portion(VAT5, Decimal("20.40"), Decimal("1.02")))
    taxed = Taxed("0100000", "USD", portions, (), Decimal("7.65"), Decimal("3.75"), None)
    supplied, _ = in_sar(taxed, None)  # each by itself would come to 3.83
    assert [(each.taxable, each.vat) for each in supplied] == [
        (Decimal("25.50"), Decimal("3.83")),
        (Decimal("76.50"), Decimal("3.82")),
    ]


def test_a_rate_that_nobody_knows_is_not_guessed():
    taxed = Taxed("0100000", "USD", (Portion(EXPORT, Decimal(100), ZERO),), (), ZERO, None, None)
    assert in_sar(taxed, None) is None
    assert in_sar(taxed, Decimal("3.75"))[0][0].taxable == Decimal("375.00")
