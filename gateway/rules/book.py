"""Rules as declarations, and a book of them that judges a document in one walk.

A rule is a small predicate under its official id that says what must hold at the nodes of its context. As in the
official stylesheets, every node of the tree is offered to every pattern, and within one pattern only the matching
context of highest priority judges it. A book belongs to one release; the next release is derived from it by its
differences. Nothing here knows a rule, its texts or the schema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cached_property
from types import ModuleType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from gateway.finding import RuleSet, Severity
from gateway.rules.view import Document, Element, Node, tag_of
from gateway.rules.xpath import EXACT, Abandoned

N = TypeVar("N", bound=Node)
M = TypeVar("M", bound=Node)

FIRST_RELEASE: Final = "R3.2.7"
"""The oldest release that was compared; a rule marked with it may be older."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Contexts that shadow one another."""

    set: RuleSet

    def context(self, priority: int, kind: type[N], *paths: str, when: Callable[[N], bool] | None = None) -> Context[N]:
        """Nodes on any of the paths (`/a/b` from the root, `a/b` anywhere, `*` any element) for which `when` holds."""
        return Context(self, priority, tuple(map(_Path.parse, paths)), kind, when)


class _Path(NamedTuple):
    """The last step of an XPath and what must stand above it, nearest first."""

    tag: str
    above: tuple[str, ...]
    from_root: bool
    is_long: bool  # the tag and that of the parent do not decide it

    @classmethod
    def parse(cls, path: str) -> _Path:
        steps = [step if step == "*" else tag_of(step) for step in path.removeprefix("/").split("/")]
        from_root = path.startswith("/")
        return cls(steps[-1], tuple(reversed(steps[:-1])), from_root, from_root or len(steps) > 2)

    def may_stand_below(self, parent: str) -> bool:
        return not self.above or self.above[0] in (parent, "*")

    def leads_to(self, element: Element) -> bool:
        here: Element | None = element
        for tag in self.above:
            here = here.getparent() if here is not None else None
            if here is None or (tag not in (here.tag, "*")):
                return False
        return not self.from_root or (here is not None and here.getparent() is None)


@dataclass(frozen=True, eq=False)
class Context(Generic[N]):
    """Where a rule applies. `parts`, if given, are the nodes judged in the place of the one that matched."""

    pattern: Pattern
    priority: int
    paths: tuple[_Path, ...]
    kind: type[Node]
    when: Callable[[Any], bool] | None = None
    parts: Callable[[Any], Iterable[N]] | None = None

    def each(self, parts: Callable[[N], Iterable[M]]) -> Context[M]:
        """The `for-each` of a rule: the same context, but judging its parts one by one."""
        return Context(self.pattern, self.priority, self.paths, self.kind, self.when, parts)


@dataclass(frozen=True, slots=True)
class Rule:
    """One official assertion (or several under one id). `place` is what has to be mended, `value` what stands there,
    `expected` what should; `since` is the first release that has it."""

    id: str
    severity: Severity
    context: Context[Any]
    term: str
    since: str
    holds: Callable[[Any], bool]
    place: Callable[[Any], Node]
    value: Callable[[Any], str] | None
    expected: Callable[[Any], object] | None

    @property
    def set(self) -> RuleSet:
        return self.context.pattern.set


def rule(
    rule_id: str,
    context: Context[N],
    *,
    term: str,
    place: Callable[[N], Node] = lambda node: node,
    value: Callable[[N], str] | None = None,
    expected: Callable[[N], object] | None = None,
    severity: Severity = Severity.ERROR,
    since: str = FIRST_RELEASE,
) -> Callable[[Callable[[N], bool]], Rule]:
    """Declares the predicate below it as an official rule: true where the rule holds."""

    def declare(holds: Callable[[N], bool]) -> Rule:
        return Rule(rule_id, severity, context, term, since, holds, place, value, expected)

    return declare


def rules_in(*modules: ModuleType) -> tuple[Rule, ...]:
    """All rules declared in some modules, in the order of declaration."""
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, Rule))


class Breach(NamedTuple):
    """A rule that does not hold, before words are put to it."""

    rule: Rule
    path: str
    value: str
    expected: str


class Judgement(NamedTuple):
    """`stopped` are the sets that the official implementation abandons on this document."""

    breaches: tuple[Breach, ...]
    stopped: tuple[RuleSet, ...]


class _Shelf(NamedTuple):
    """The contexts of one pattern that may match one tag, highest priority first, each with the path and its rules."""

    set: RuleSet
    entries: tuple[tuple[Context[Any], _Path, tuple[Rule, ...]], ...]

    def below(self, parent: str) -> _Shelf:
        """Without the contexts that ask for another parent."""
        return _Shelf(self.set, tuple(entry for entry in self.entries if entry[1].may_stand_below(parent)))


class _Case(NamedTuple):
    """What may apply to the elements of one tag: by the tag of the parent, and below any other parent."""

    by_parent: Mapping[str, tuple[_Shelf, ...]]
    otherwise: tuple[_Shelf, ...]

    @classmethod
    def of(cls, shelves: Iterable[_Shelf]) -> _Case:
        whole = tuple(shelves)
        parents = {path.above[0] for shelf in whole for _, path, _ in shelf.entries if path.above}

        def below(parent: str) -> tuple[_Shelf, ...]:
            return tuple(shelf for each in whole if (shelf := each.below(parent)).entries)

        return cls({parent: below(parent) for parent in parents if parent != "*"}, below(""))

    def shelves(self, element: Element) -> tuple[_Shelf, ...]:
        parent = element.getparent()
        return self.otherwise if parent is None else self.by_parent.get(parent.tag, self.otherwise)


@dataclass(frozen=True)
class Book:
    """The rules of one release of the official validation."""

    version: str
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        ids = [each.id for each in self.rules]
        assert len(ids) == len(set(ids)), "an id is declared twice"

    def derive(
        self,
        version: str,
        *,
        add: Iterable[Rule] = (),
        remove: Set[str] = frozenset(),
        severity: Mapping[str, Severity] | None = None,
    ) -> Book:
        """The book of the next release. A rule added under a known id takes the place of the former."""
        grades = severity or {}
        added = tuple(add)
        gone = remove | {each.id for each in added}
        kept = (each for each in self.rules if each.id not in gone)
        return Book(version, (*(replace(each, severity=grades.get(each.id, each.severity)) for each in kept), *added))

    def judge(self, root: Element, sets: Set[RuleSet]) -> Judgement:
        """Every breach of the rules of these sets, in document order."""
        document = Document(root)
        breaches: list[Breach] = []
        stopped: set[RuleSet] = set()
        cases = self._cases(frozenset(sets))
        with localcontext(EXACT):
            for element in root.iter(*cases) if cases else ():
                case = cases[element.tag]
                for shelf in case.shelves(element) if case.by_parent else case.otherwise:
                    _judge(element, document, shelf, breaches, stopped)
        document.forget()
        return Judgement(tuple(breaches), tuple(each for each in RuleSet if each in stopped))

    def _cases(self, sets: frozenset[RuleSet]) -> dict[str, _Case]:
        """By tag: what the walk has to try on an element of that name."""
        known = self._cases_of.get(sets)
        if known is None:
            known = self._cases_of[sets] = self._sorted_by_tag(sets)
        return known

    @cached_property
    def _cases_of(self) -> dict[frozenset[RuleSet], dict[str, _Case]]:
        return {}

    def _sorted_by_tag(self, sets: frozenset[RuleSet]) -> dict[str, _Case]:
        by_tag: dict[str, dict[Pattern, dict[tuple[Context[Any], _Path], list[Rule]]]] = defaultdict(dict)
        for each in (each for each in self.rules if each.set in sets):
            for path in each.context.paths:
                contexts = by_tag[path.tag].setdefault(each.context.pattern, {})
                contexts.setdefault((each.context, path), []).append(each)
        return {
            tag: _Case.of(_shelf(pattern, contexts) for pattern, contexts in patterns.items())
            for tag, patterns in by_tag.items()
        }


def _shelf(pattern: Pattern, contexts: Mapping[tuple[Context[Any], _Path], list[Rule]]) -> _Shelf:
    entries = [(context, path, tuple(rules)) for (context, path), rules in contexts.items()]
    return _Shelf(pattern.set, tuple(sorted(entries, key=lambda entry: -entry[0].priority)))


def _judge(element: Element, document: Document, shelf: _Shelf, breaches: list[Breach], stopped: set[RuleSet]) -> None:
    """Tries the contexts of one pattern on an element; those below the first that matches are shadowed."""
    matched: int | None = None
    for context, path, rules in shelf.entries:
        if matched is not None and context.priority < matched:
            return
        if path.is_long and not path.leads_to(element):
            continue
        node = document.node(element, context.kind)
        try:
            if context.when is not None and not context.when(node):
                continue
            nodes = (node,) if context.parts is None else tuple(context.parts(node))
        except Abandoned:
            stopped.add(shelf.set)
            continue
        matched = context.priority
        for each in rules:
            for part in nodes:
                try:
                    if not each.holds(part):
                        breaches.append(_breach(each, part))
                except Abandoned:
                    stopped.add(shelf.set)


def _breach(broken: Rule, node: Node) -> Breach:
    place = broken.place(node) or node
    assert place.element is not None, "only what is there is judged"
    value = broken.value(node) if broken.value else _shown(place)
    expected = broken.expected(node) if broken.expected else ""
    return Breach(
        broken,
        node.document.path(place.element),
        value,
        f"{expected:f}" if isinstance(expected, Decimal) else str(expected),
    )


def _shown(place: Node) -> str:
    """The text of a leaf; of a group there is nothing to show."""
    return "" if any(isinstance(tag, str) for tag in place.children) else place.normal
