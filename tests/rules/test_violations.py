"""Each official rule is broken by its smallest example, where it was broken, and by nothing else."""

import fatoora
import pytest

from gateway.finding import RuleSet
from gateway.rules import schema
from gateway.rules.book import Rule
from gateway.rules.r3_4_8 import BOOK
from gateway.xml import parse
from tests.golden.test_golden import NOW
from tests.rules.broken import Violation, good, violations

SETS = frozenset({RuleSet.EN16931, RuleSet.KSA})
VIOLATIONS = violations()
REACHABLE = [each for each in VIOLATIONS.values() if each.edits and not each.unreachable]
UNREACHABLE = [each for each in VIOLATIONS.values() if each.unreachable]


def test_every_rule_has_an_example_or_a_reason_why_not():
    assert VIOLATIONS.keys() == {rule.id for rule in BOOK.rules}
    for each in VIOLATIONS.values():
        assert bool(each.edits) is not bool(each.never), each.rule


@pytest.mark.parametrize("base", sorted({each.base for each in VIOLATIONS.values() if each.base}))
def test_what_is_edited_breaks_nothing(base: str):
    root = parse(good(base))
    assert not schema.findings(root)
    assert BOOK.judge(root, SETS, now=NOW) == ((), ())


@pytest.mark.parametrize("violation", REACHABLE, ids=lambda each: each.rule)
def test_a_rule_is_broken_where_it_was_broken(violation: Violation):
    root = parse(violation.document)
    assert not schema.findings(root)
    breaches, stopped = BOOK.judge(root, SETS, now=NOW)
    assert {each.rule.id for each in breaches} == {violation.rule} | violation.along
    assert {each.path for each in breaches if each.rule.id == violation.rule} == {violation.place}
    assert not stopped


@pytest.mark.parametrize("violation", UNREACHABLE, ids=lambda each: each.rule)
def test_the_schema_keeps_an_unreachable_rule_from_breaking(violation: Violation):
    root = parse(violation.document)
    assert schema.findings(root)
    breaches, _ = BOOK.judge(root, SETS, now=NOW)
    assert violation.rule in {each.rule.id for each in breaches}


def test_what_never_breaks_is_shadowed_or_stopped():
    """An allowance on a line that breaks three of them at once, and a word that is neither true nor false."""
    by_id: dict[str, Rule] = {rule.id: rule for rule in BOOK.rules}
    shadowed = {"BR-41", "BR-DEC-24", "BR-DEC-25"}
    assert {each.rule for each in VIOLATIONS.values() if each.never} == shadowed | {"BR-KSA-F-02"}
    assert {by_id[rule].context for rule in shadowed} == {by_id["BR-41"].context}
    edit = ("text", "/ubl:Invoice/cac:InvoiceLine/cac:AllowanceCharge/cbc:{}", "{}")
    for name, text in (("Amount", "1.001"), ("ChargeIndicator", "maybe")):
        broken = Violation("", "simplified-invoice", ((edit[0], edit[1].format(name), text),)).document
        breaches, stopped = BOOK.judge(parse(broken), SETS, now=NOW)
        assert not {each.rule.id for each in breaches} & (shadowed | {"BR-KSA-F-02"})
        assert bool(stopped) is (name == "ChargeIndicator")


def test_another_implementation_of_the_official_rules_sees_the_same():
    """Of all examples that keep the schema."""
    wrong = []
    with fatoora.Config() as config:
        for each in REACHABLE:
            report = fatoora.validate_zatca_invoice_from_str(
                config, each.document.decode(), evaluated_at=NOW.isoformat()
            )
            stages = [stage for stage in report["stages"] if stage["stage"] in ("cen", "ksa")]
            found = {finding["code"] for stage in stages for finding in stage["findings"]}
            if found != {each.rule} | each.along:
                wrong.append((each.rule, found ^ ({each.rule} | each.along)))
    assert not wrong
