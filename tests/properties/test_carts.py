"""From any order to the right tax document: exact halalas, every kind of invoice.

Whole carts over every dimension of the order. Of each: the document breaks no rule for us nor for an independent
implementation, the buyer pays what the shop charged, an oracle in plain fractions agrees on every sum, and the document
reads back as it was meant.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Final

import fatoora
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

from gateway import rules, ubl
from gateway.errors import DoesNotClose
from gateway.finding import RuleSet
from gateway.invoice import prepayment
from gateway.invoice.from_order import draw_up
from gateway.invoice.policy import read_policy, tax_of
from gateway.order import read_order
from gateway.order.order import OrderTax
from tests.properties import document, law, oracle
from tests.properties.carts import Cart, carts, money
from tests.ubl_documents import HEADING, LINK, SELLER

BATCHES: Final = 20
MANY_BATCHES: Final = 200
CARTS: Final = 150
"""In a batch; so many carts of so many batches are the same on every machine."""
MANY_CARTS: Final = 500

NOW: Final = HEADING.issued_at + timedelta(hours=1)
CONTENT: Final = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})
MOST_OF_THE_PEER: Final = 300
"""Lines; of more it says that its capacity is exceeded."""
STAMP: Final = {"BR-KSA-27", "BR-KSA-60"}
"""QR and stamp, which the document gets only when it is issued."""


def issued(cart: Cart) -> bytes:
    """The unsigned document of a cart, read back."""
    order, policy = read_order(cart.order), read_policy(cart.policy)
    priors = {prior.number: as_prior(prior) for prior in cart.priors}
    invoice = draw_up(order, SELLER, policy, priors).invoice
    xml = ubl.render(invoice, HEADING, LINK)
    assert ubl.read(xml) == (invoice, HEADING, LINK)
    return xml


def as_prior(prior: law.Prior) -> prepayment.Prior:
    parts = [
        prepayment.Part(tax_of(OrderTax.model_validate(tax)), Decimal(taxable) / 100, Decimal(vat) / 100)
        for tax, taxable, vat in prior.parts
    ]
    return prepayment.Prior(prior.number, prior.uuid, law.ISSUED_AT, prior.currency, tuple(parts))


def broken(config: fatoora.Config, xml: bytes) -> tuple[set[str], set[str]]:
    """The ids of the rules that the content breaks, for us and for the independent implementation."""
    report = rules.check(xml, now=NOW, sets=CONTENT)
    assert not report.stopped
    ours = {finding.rule for finding in (*report.xsd, *report.findings)} - STAMP
    if xml.count(b"<cac:InvoiceLine>") > MOST_OF_THE_PEER:
        return ours, ours
    theirs = fatoora.validate_zatca_invoice_from_str(config, xml.decode(), evaluated_at=NOW.isoformat())
    stages = [stage for stage in theirs["stages"] if stage["stage"] in ("xsd", "cen", "ksa")]
    assert [stage["status"] for stage in stages] == ["completed"] * 3
    return ours, {finding["code"] for stage in stages for finding in stage["findings"]} - STAMP


def prove(config: fatoora.Config, cart: Cart) -> None:
    xml = issued(cart)
    said = document.read(xml)
    oracle.judge_sums(said)
    oracle.judge_charged(said, cart.order, cart.policy)
    oracle.judge_words(said, cart.order, cart.policy)
    oracle.judge_prepaid(said, cart.order, cart.priors)
    ours, theirs = broken(config, xml)
    assert ours == theirs == oracle.may_warn(said), (ours, theirs)


def prove_many(batch: int, number: int) -> None:
    with fatoora.Config() as config:

        @seed(batch)
        @settings(max_examples=number, suppress_health_check=list(HealthCheck))
        @given(carts())
        def every_cart_becomes_its_document(cart: Cart) -> None:
            prove(config, cart)

        every_cart_becomes_its_document()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_cart_becomes_its_document(batch: int) -> None:
    prove_many(batch, CARTS)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(carts(), st.sampled_from([-1, 1]))
def test_a_total_that_rounding_does_not_explain_is_refused(cart: Cart, way: int) -> None:
    order = {name: value for name, value in cart.order.items() if name not in ("declared", "prepayments")}
    assume(not law.left_out(order, cart.policy))
    said = document.read(issued(Cart(order, cart.policy, ())))
    grand = said.with_vat + way * (oracle.most_rounding(order) + 1)
    assume(grand >= 0)
    with pytest.raises(DoesNotClose, match="rounding explains at most"):
        issued(Cart(order | {"declared": {"grand": money(grand)}}, cart.policy, ()))


@pytest.mark.torture
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + MANY_BATCHES))
def test_every_cart_of_very_many_becomes_its_document(batch: int) -> None:
    prove_many(batch, MANY_CARTS)
