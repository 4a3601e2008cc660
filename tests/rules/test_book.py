"""How a book runs its rules: one walk, patterns, priorities, parts, and the derivation of the next release."""

import gc
import weakref
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.finding import RuleSet, Severity
from gateway.rules.book import Book, Pattern, Rule, rule
from gateway.rules.parts import Identifier
from gateway.rules.view import Node, Number
from gateway.rules.xpath import Abandoned
from gateway.xml import CAC, CBC, INVOICE

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SETS = frozenset({RuleSet.KSA, RuleSet.EN16931})
TREE = etree.fromstring(
    f'<Invoice xmlns="{INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}"><cbc:ID>doc</cbc:ID>'
    "<cac:InvoiceLine><cbc:ID>1</cbc:ID></cac:InvoiceLine><cac:InvoiceLine><cbc:ID>2</cbc:ID></cac:InvoiceLine></Invoice>"
)


def broken(rule_id: str, pattern: Pattern, priority: int, *paths: str, severity: Severity = Severity.ERROR) -> Rule:
    """A rule that holds nowhere."""
    return rule(rule_id, pattern.context(priority, Node, *paths), term="", severity=severity)(lambda node: False)


def judged(*rules: Rule) -> list[tuple[str, str]]:
    return [(breach.rule.id, breach.value) for breach in Book("T", rules).judge(TREE, SETS, now=NOW).breaches]


def test_within_a_pattern_the_context_of_highest_priority_shadows_the_others() -> None:
    pattern = Pattern(RuleSet.KSA)
    rules = broken("LOW", pattern, 1, "cbc:ID"), broken("HIGH", pattern, 2, "cac:InvoiceLine/cbc:ID")
    assert judged(*rules) == [("LOW", "doc"), ("HIGH", "1"), ("HIGH", "2")]


def test_patterns_do_not_shadow_one_another() -> None:
    rules = broken("A", Pattern(RuleSet.KSA), 1, "/ubl:Invoice/cbc:ID"), broken("B", Pattern(RuleSet.KSA), 2, "cbc:ID")
    assert judged(*rules)[:2] == [("A", "doc"), ("B", "doc")]


def test_a_context_that_does_not_hold_leaves_the_node_to_the_next() -> None:
    pattern = Pattern(RuleSet.KSA)
    high = pattern.context(2, Node, "cbc:ID", when=lambda node: node.text == "1")
    rules = rule("HIGH", high, term="")(lambda node: False), broken("LOW", pattern, 1, "cbc:ID")
    assert judged(*rules) == [("LOW", "doc"), ("HIGH", "1"), ("LOW", "2")]


def test_a_condition_is_asked_once_for_all_that_is_judged_under_it() -> None:
    asked: list[Node] = []

    def when(node: Node) -> bool:
        asked.append(node)
        return True

    whole = Pattern(RuleSet.KSA).context(1, Node, "/ubl:Invoice", when=when)
    ids = whole.each(lambda node: node.document.every(Identifier, "cbc:ID"))
    lines = rule("A", ids, term="")(lambda node: False), rule("B", whole, term="")(lambda node: False)
    assert [name for name, _ in judged(*lines)] == ["A", "A", "A", "B"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/ubl:Invoice/cbc:ID", ["doc"]),
        ("/*/cbc:ID", ["doc"]),
        ("/*/cac:InvoiceLine/cbc:ID", ["1", "2"]),
        ("ubl:Invoice/cac:InvoiceLine/cbc:ID", ["1", "2"]),
        ("*/cbc:ID", ["doc", "1", "2"]),
        ("/cac:InvoiceLine/cbc:ID", []),
        ("cac:Item/cac:InvoiceLine/cbc:ID", []),
    ],
)
def test_paths(path: str, found: list[str]) -> None:
    assert [value for _, value in judged(broken("A", Pattern(RuleSet.KSA), 1, path))] == found


def test_parts_are_judged_one_by_one() -> None:
    root = Pattern(RuleSet.KSA).context(1, Node, "/ubl:Invoice")
    each = root.each(lambda node: node.document.every(Identifier, "cbc:ID"))
    assert judged(rule("A", each, term="")(lambda node: node.text == "doc")) == [("A", "1"), ("A", "2")]


def test_a_dynamic_error_stops_its_set_only_and_takes_no_finding_away() -> None:
    def fails(node: Node) -> bool:
        raise Abandoned("two where one is expected")

    stops = rule("STOPS", Pattern(RuleSet.KSA).context(1, Node, "cbc:ID", when=fails), term="")(lambda node: True)
    book = Book(
        "T",
        (
            stops,
            broken("A", Pattern(RuleSet.EN16931), 1, "/ubl:Invoice"),
            broken("B", Pattern(RuleSet.KSA), 1, "/*/cbc:ID"),
        ),
    )
    judgement = book.judge(TREE, SETS, now=NOW)
    assert judgement.stopped == (RuleSet.KSA,)
    assert [breach.rule.id for breach in judgement.breaches] == ["A", "B"]
    assert book.judge(TREE, frozenset({RuleSet.EN16931}), now=NOW).stopped == ()


def test_a_place_that_is_absent_falls_back_to_the_node_that_was_judged() -> None:
    context = Pattern(RuleSet.KSA).context(1, Node, "/ubl:Invoice")
    missing = rule("A", context, term="", place=lambda node: Node.absent())(lambda node: False)
    (breach,) = Book("T", (missing,)).judge(TREE, SETS, now=NOW).breaches
    assert (breach.path, breach.value) == ("/ubl:Invoice", "")


def test_the_next_release_is_derived_by_its_differences() -> None:
    pattern = Pattern(RuleSet.KSA)
    first = Book("R1", tuple(broken(name, pattern, 1, "/ubl:Invoice") for name in ("A", "B", "C")))
    changed = broken("C", pattern, 1, "cac:InvoiceLine")
    second = first.derive(
        "R2", add=[changed, broken("D", pattern, 1, "cbc:ID")], remove={"A"}, severity={"B": Severity.WARNING}
    )
    assert [(each.id, each.severity) for each in second.rules] == [
        ("B", Severity.WARNING),
        ("C", Severity.ERROR),
        ("D", Severity.ERROR),
    ]
    assert second.rules[1] is changed
    assert [each.severity for each in first.rules] == [Severity.ERROR] * 3


def test_a_shadow_asserts_nothing_but_withdraws_its_nodes() -> None:
    pattern = Pattern(RuleSet.KSA)
    book = Book("T", (broken("LOW", pattern, 1, "cbc:ID"),), (pattern.context(2, Node, "cac:InvoiceLine/cbc:ID"),))
    assert [breach.value for breach in book.judge(TREE, SETS, now=NOW).breaches] == ["doc"]
    assert [breach.value for breach in book.derive("T2").judge(TREE, SETS, now=NOW).breaches] == ["doc"]


def test_a_context_is_of_the_kind_its_elements_are_read_as() -> None:
    with pytest.raises(AssertionError):
        Book("T", (rule("A", Pattern(RuleSet.KSA).context(1, Number, "cbc:ID"), term="")(lambda node: True),))


def test_an_id_is_declared_once() -> None:
    with pytest.raises(AssertionError):
        Book("T", (broken("A", Pattern(RuleSet.KSA), 1, "cbc:ID"),) * 2)


def test_a_judged_tree_does_not_wait_for_the_garbage_collector() -> None:
    seen: list[weakref.ref[Node]] = []

    def holds(node: Node) -> bool:
        seen.append(weakref.ref(node))
        return bool(node.children)

    gc.disable()
    try:
        Book("T", (rule("A", Pattern(RuleSet.KSA).context(1, Node, "/ubl:Invoice"), term="")(holds),)).judge(
            TREE, SETS, now=NOW
        )
        assert seen[0]() is None
    finally:
        gc.enable()


def test_the_garbage_collector_is_left_as_it_was() -> None:
    def fails(node: Node) -> bool:
        raise ZeroDivisionError

    book = Book("T", (rule("A", Pattern(RuleSet.KSA).context(1, Node, "/ubl:Invoice"), term="")(fails),))
    with pytest.raises(ZeroDivisionError):
        book.judge(TREE, SETS, now=NOW)
    assert gc.isenabled()
