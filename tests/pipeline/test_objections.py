"""What the authority says of a rule is joined with what the rule book knows of it."""

import pytest

from gateway.authority import Endpoint, verdict_of
from gateway.pipeline.objections import understood
from tests.installation import BUSINESS, OWNER


def objected(*rules):
    """The findings of a rejection that names these rules."""
    errors = ", ".join(
        f'{{"type": "ERROR", "code": "{rule}", "category": "KSA", "message": "{rule} says", "status": "ERROR"}}'
        for rule in rules
    )
    results = f'{{"errorMessages": [{errors}], "status": "ERROR"}}'
    body = f'{{"validationResults": {results}, "reportingStatus": "NOT_REPORTED"}}'
    return verdict_of(Endpoint.REPORTING, 400, {}, body.encode()).findings


@pytest.fixture
def stamped(site):
    return site.ledger.stamped_xml(OWNER, site.issue(1, buyer=BUSINESS).uuid)


@pytest.mark.parametrize(
    ("rule", "term", "field"),
    [
        ("BR-KSA-15", "KSA-5", "supply_date"),
        ("BR-KSA-44", "BT-48", "buyer.vat"),
        ("BR-KSA-66", "BT-38", "unit.taxpayer.address.postal_code"),
        ("BR-KSA-98", "KSA-25", ""),
    ],
)
def test_a_rule_of_the_book_gets_its_term_and_the_field_of_the_order(stamped, rule, term, field):
    (finding,) = understood(objected(rule), stamped)
    assert (finding.term, finding.order_field) == (term, field)
    assert finding.message.en == f"{rule} says"
    assert "{" not in finding.fix.en + finding.fix.ar


def test_what_the_book_does_not_know_stays_as_it_came(stamped):
    said = objected("BR-KSA-NEW", "certificate-permissions")
    assert understood(said, stamped) == said


def test_a_document_that_cannot_be_read_still_gets_the_term():
    (finding,) = understood(objected("BR-KSA-15"), b"<Invoice/>")
    assert (finding.term, finding.order_field) == ("KSA-5", "")
