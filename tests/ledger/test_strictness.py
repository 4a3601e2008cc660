"""Which warnings may stand: on record with who, when and why, and with every document that was made in spite of one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import Conflict, Unknown
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.ledger import AllowedWarning, Ledger
from tests.ledger.books import NOW, log_holds

RULE = "BR-KSA-71"
FINDING = Finding(
    RULE, Severity.WARNING, RuleSet.KSA, "/ubl:Invoice", "BT-44", Text("who?", "من؟"), Text("say", "قل"), "buyer.name"
)


def entries(ledger, taxpayer="tp"):
    return [
        (each.action, each.object, each.actor, dict(each.detail))
        for each in ledger.audit_log(taxpayer)
        if each.action.startswith(("warning.", "document."))
    ]


def test_at_first_nothing_is_allowed(ledger):
    assert ledger.allowed_warnings("tp") == ()


def test_a_warning_is_allowed_with_who_when_and_why(ledger, url):
    ledger.allow_warning("tp", RULE, reason="كشف شهري", actor="command line", now=NOW)
    ledger.allow_warning("tp", "BR-KSA-10", reason="abroad", actor="key:1", now=NOW + timedelta(hours=1))
    allowed = (
        AllowedWarning("BR-KSA-10", "abroad", "key:1", NOW + timedelta(hours=1)),
        AllowedWarning(RULE, "كشف شهري", "command line", NOW),
    )
    assert ledger.allowed_warnings("tp") == allowed
    with Ledger.open(url) as again:
        assert again.allowed_warnings("tp") == allowed


def test_a_taxpayer_allows_for_itself_alone(ledger, other):
    ledger.allow_warning("tp", RULE, reason="x", now=NOW)
    assert ledger.allowed_warnings(other.taxpayer_id) == ()
    with pytest.raises(Unknown):
        ledger.refuse_warning(other.taxpayer_id, RULE, now=NOW)
    assert [each.rule for each in ledger.allowed_warnings("tp")] == [RULE]


def test_every_change_is_in_the_audit_log_and_nothing_else(ledger):
    with pytest.raises(Unknown, match=RULE):
        ledger.refuse_warning("tp", RULE, now=NOW)
    ledger.allow_warning("tp", RULE, reason="first", actor="a", now=NOW)
    with pytest.raises(Conflict, match="since 2026-11-23: first"):
        ledger.allow_warning("tp", RULE, reason="second", actor="b", now=NOW)
    ledger.refuse_warning("tp", RULE, actor="c", now=NOW)
    ledger.allow_warning("tp", RULE, reason="second", actor="b", now=NOW)
    assert entries(ledger) == [
        ("warning.allowed", RULE, "a", {"reason": "first"}),
        ("warning.refused", RULE, "c", {}),
        ("warning.allowed", RULE, "b", {"reason": "second"}),
    ]
    assert log_holds(ledger, "tp")


def test_a_document_keeps_what_it_was_made_in_spite_of(desk, ledger):
    twice = (FINDING, replace(FINDING, path="/ubl:Invoice/cac:Delivery"))
    issued = desk.issue("46", made={"allowed": twice, "rule_book": "R3.4.9"}).issued
    assert (issued.rule_book, issued.allowed) == ("R3.4.9", twice)
    assert ledger.invoice("tp", issued.uuid) == issued
    clean = desk.issue("47").issued
    assert (clean.rule_book, clean.allowed) == ("R3.4.8", ())
    assert [(detail["rule_book"], detail.get("allowed")) for _, _, _, detail in entries(ledger)] == [
        ("R3.4.9", [RULE]),
        ("R3.4.8", None),
    ]
