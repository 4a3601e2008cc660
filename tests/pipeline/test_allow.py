"""A warning that may stand: the document is made, keeps the finding, and says so for good."""

import pytest

from gateway.errors import BadInput, Conflict, NotCompliant, Unknown
from gateway.pipeline.allow import LONGEST_REASON, allow, refuse
from tests.installation import OWNER, order
from tests.ledger.books import log_holds

RULE = "BR-KSA-71"
SUMMARY = {"flags": ["summary"]}
SHORT_NAME = {"lines": [order(1)["lines"][0] | {"name": "تي"}]}


def let(site, rule=RULE, reason="Summaries of our vending machines"):
    allow(site.gateway, OWNER, rule, reason, actor="tests")


def issued_entries(site):
    return [dict(each.detail) for each in site.ledger.audit_log(OWNER) if each.action == "document.issued"]


def test_without_leave_every_warning_stops_a_document(site):
    with pytest.raises(NotCompliant, match=RULE):
        site.issue(1, **SUMMARY)


def test_a_document_issued_in_spite_of_a_warning_says_so_for_good(site):
    let(site)
    issued = site.issue(1, **SUMMARY)
    (kept,) = issued.allowed
    assert (kept.rule, kept.order_field, issued.rule_book) == (RULE, "buyer.name", "R3.4.8")
    (entry,) = issued_entries(site)
    assert (entry["allowed"], entry["rule_book"]) == ([RULE], "R3.4.8")
    refuse(site.gateway, OWNER, RULE, actor="tests")
    site.work()
    assert site.now(issued).status.is_accepted
    assert [finding.rule for finding in site.now(issued).findings] == [RULE]
    assert site.now(issued).allowed == (kept,)
    assert log_holds(site.ledger, OWNER)


def test_a_document_that_breaks_nothing_has_nothing_to_say(site):
    let(site)
    assert site.issue(1).allowed == ()
    assert "allowed" not in issued_entries(site)[0]


def test_only_what_is_not_allowed_is_refused(site):
    let(site)
    with pytest.raises(NotCompliant) as refused:
        site.issue(1, **SUMMARY, **SHORT_NAME)
    assert [finding.rule for finding in refused.value.findings] == ["BR-KSA-F-06-C19"]
    assert RULE not in refused.value.what
    let(site, "BR-KSA-F-06-C19")
    assert {finding.rule for finding in site.issue(1, **SUMMARY, **SHORT_NAME).allowed} == {RULE, "BR-KSA-F-06-C19"}


def test_a_warning_that_is_refused_again_stops_documents_again(site):
    let(site)
    site.issue(1, **SUMMARY)
    refuse(site.gateway, OWNER, RULE, actor="tests")
    with pytest.raises(NotCompliant, match=RULE):
        site.issue(2, **SUMMARY)
    with pytest.raises(Unknown, match=RULE):
        refuse(site.gateway, OWNER, RULE, actor="tests")
    assert site.head().icv == 2


def test_an_error_stays_an_error_even_if_its_rule_is_on_record_as_allowed(site):
    site.ledger.allow_warning(OWNER, "BR-KSA-31", reason="by hand", now=site.clock())
    with pytest.raises(NotCompliant, match="BR-KSA-31"):
        site.issue(1, flags=["self_billed"])


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("BR-KSA-1000", "no rule BR-KSA-1000 in the rule book R3.4.8"),
        ("br-ksa-71", "no rule br-ksa-71"),
        ("", "no rule "),
        ("timeStamp", "no rule timeStamp"),
        ("BR-KSA-31", "is an error"),
        ("BR-KSA-98", "never stops"),
    ],
)
def test_what_cannot_be_allowed(site, rule, says):
    with pytest.raises(BadInput, match=says) as refused:
        let(site, rule)
    assert refused.value.fix
    assert refused.value.ar
    assert site.ledger.allowed_warnings(OWNER) == ()


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "\ud800", "x" * (LONGEST_REASON + 1)])
def test_a_reason_is_a_line_that_people_can_read(site, reason):
    with pytest.raises(BadInput, match="reason"):
        let(site, reason=reason)
    assert site.ledger.allowed_warnings(OWNER) == ()


def test_nothing_is_allowed_twice(site):
    let(site)
    with pytest.raises(Conflict, match="vending"):
        let(site, reason="another")
    assert [each.reason for each in site.ledger.allowed_warnings(OWNER)] == ["Summaries of our vending machines"]
