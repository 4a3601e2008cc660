"""Rules as declarations, and a book of them that judges a document in one walk.

A rule is a small predicate under its official id that says what must hold at the nodes of its context. As in the
official stylesheets, every node of the tree is offered to every pattern, and within one pattern only the matching
context of highest priority judges it. A book belongs to one release; the next release is derived from it by its
differences. Nothing here knows a rule, its texts or the schema.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext
from functools import cached_property
from itertools import groupby
from types import ModuleType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from gateway.finding import RuleSet, Severity
from gateway.rules.everywhere import Everywhere
from gateway.rules.places import Machine, Path, Place
from gateway.rules.view import Element, Node, kind_of, steps_of
from gateway.rules.xpath import CENT, EXACT, Abandoned, in_cents

N = TypeVar("N", bound=Node)
M = TypeVar("M", bound=Node)

WARNING: Final = Severity.WARNING
FIRST_RELEASE: Final = "R3.2.7"
"""The oldest release that was compared; a rule marked with it may be older."""

MAX_PLACES: Final = 1000
"""In how many places a broken rule is reported at most; a document broken in more is broken as a whole."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Contexts that shadow one another."""

    set: RuleSet

    def context(self, priority: int, kind: type[N], *paths: str, when: Callable[[N], bool] | None = None) -> Context[N]:
        """Nodes on any of the paths (`/a/b` from the root, `a/b` anywhere, `*` any element) for which `when` holds."""
        return Context(self, priority, tuple(map(steps_of, paths)), kind, when)


@dataclass(frozen=True, eq=False)
class Context(Generic[N]):
    """Where a rule applies. `parts`, if given, are the nodes judged in the place of the one that matched."""

    pattern: Pattern
    priority: int
    paths: tuple[Path, ...]
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


class _Breaches(list[Breach]):
    """Those of one document."""

    def __init__(self) -> None:
        super().__init__()
        self._places: Counter[str] = Counter()

    def note(self, broken: Rule, node: Node) -> None:
        self._places[broken.id] += 1
        if self._places[broken.id] <= MAX_PLACES:
            self.append(_breach(broken, node))


class Judgement(NamedTuple):
    """`stopped` are the sets that the official implementation abandons on this document."""

    breaches: tuple[Breach, ...]
    stopped: tuple[RuleSet, ...]


class _Judged(NamedTuple):
    """What is judged of a node, itself if `parts` is None, by which rules."""

    parts: Callable[[Any], Iterable[Node]] | None
    rules: tuple[Rule, ...]


class _Entry(NamedTuple):
    """Contexts with one condition, taken apart for speed, so that it is asked once for all of them."""

    priority: int
    when: Callable[[Any], bool] | None
    judged: tuple[_Judged, ...]


class _Shelf(NamedTuple):
    """The contexts of one pattern that lead to a place, highest priority first."""

    set: RuleSet
    entries: tuple[_Entry, ...]

    @property
    def applies_always(self) -> bool:
        """The first context decides, without a condition and on the node itself."""
        first, *others = self.entries
        shadows_others = all(other.priority < first.priority for other in others)
        on_itself = all(each.parts is None for each in first.judged)
        return first.when is None and on_itself and shadows_others


class _Plan(NamedTuple):
    """What to try on the elements of a place: rules that always apply there, and the patterns where it depends."""

    rules: tuple[Rule, ...]
    shelves: tuple[_Shelf, ...]


@dataclass(frozen=True)
class Book:
    """The rules of one release of the official validation. `shadows` are contexts that assert nothing there, but
    withdraw their nodes from those of lower priority."""

    version: str
    rules: tuple[Rule, ...]
    shadows: tuple[Context[Any], ...] = ()

    def __post_init__(self) -> None:
        ids = [each.id for each in self.rules]
        assert len(ids) == len(set(ids)), "an id is declared twice"
        for context in self._contexts(frozenset(RuleSet)):
            assert all(issubclass(kind_of(path.steps[-1]), context.kind) for path in context.paths), context.paths

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
        regraded = (replace(each, severity=grades.get(each.id, each.severity)) for each in kept)
        return Book(version, (*regraded, *added), self.shadows)

    def judge(self, root: Element, sets: Set[RuleSet], *, now: datetime) -> Judgement:
        """Every breach of the rules of these sets, in document order; a date without a zone is in that of `now`."""
        breaches = _Breaches()
        stopped: set[RuleSet] = set()
        with _uncollected(), localcontext(EXACT):
            document = Everywhere(root, start=self._start(frozenset(sets)), now=now)
            for node, (rules, shelves) in document.visits:
                for each in rules:
                    try:
                        if not each.holds(node):
                            breaches.note(each, node)
                    except Abandoned:
                        stopped.add(each.set)
                for shelf in shelves:
                    _judge(node, shelf, breaches, stopped)
            document.forget()
        return Judgement(tuple(breaches), tuple(each for each in RuleSet if each in stopped))

    def _start(self, sets: frozenset[RuleSet]) -> Place[_Plan | None]:
        """Where the paths of these sets are followed from; made once."""
        start = self._starts.get(sets)
        if start is None:
            start = self._starts[sets] = self._machine(sets).start
        return start

    @cached_property
    def _starts(self) -> dict[frozenset[RuleSet], Place[_Plan | None]]:
        return {}

    def _contexts(self, sets: frozenset[RuleSet]) -> dict[Context[Any], tuple[Rule, ...]]:
        """Every context with its rules, shadows with none."""
        found: dict[Context[Any], tuple[Rule, ...]] = {each: () for each in self.shadows if each.pattern.set in sets}
        for rule in (each for each in self.rules if each.set in sets):
            found[rule.context] = (*found.get(rule.context, ()), rule)
        return found

    def _machine(self, sets: frozenset[RuleSet]) -> Machine[_Plan | None]:
        contexts = self._contexts(sets)
        ways = [(path, context) for context in contexts for path in context.paths]

        def plan(ends: Sequence[int]) -> _Plan | None:
            by_pattern: dict[Pattern, dict[Context[Any], tuple[Rule, ...]]] = {}
            for context in (ways[end][1] for end in ends):
                by_pattern.setdefault(context.pattern, {})[context] = contexts[context]
            return _plan([_shelf(pattern, found) for pattern, found in by_pattern.items()])

        return Machine([path for path, _ in ways], plan)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector. It would walk the nodes again and again while more are read, a third of all time
    on longer documents, and free none: `forget` unties them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _shelf(pattern: Pattern, contexts: Mapping[Context[Any], tuple[Rule, ...]]) -> _Shelf:
    in_order = sorted(contexts, key=lambda context: -context.priority)
    entries = [
        _Entry(*condition, tuple([_Judged(context.parts, contexts[context]) for context in alike]))
        for condition, alike in groupby(in_order, lambda context: (context.priority, context.when))
    ]
    return _Shelf(pattern.set, tuple(entries))


def _plan(shelves: list[_Shelf]) -> _Plan | None:
    always = [each.rules for shelf in shelves if shelf.applies_always for each in shelf.entries[0].judged]
    rest = tuple(shelf for shelf in shelves if not shelf.applies_always)
    return _Plan(tuple(rule for rules in always for rule in rules), rest) if shelves else None


def _judge(node: Node, shelf: _Shelf, breaches: _Breaches, stopped: set[RuleSet]) -> None:
    """Tries the contexts of one pattern on a node; those below the first that matches are shadowed."""
    matched: int | None = None
    for priority, when, judged in shelf.entries:
        if matched is not None and priority < matched:
            return
        try:
            if when is not None and not when(node):
                continue
        except Abandoned:
            stopped.add(shelf.set)
            continue
        for parts, rules in judged:
            try:
                nodes = (node,) if parts is None else tuple(parts(node))
            except Abandoned:
                stopped.add(shelf.set)
                continue
            matched = priority
            if nodes:
                _judge_each(nodes, rules, breaches, stopped)


def _judge_each(nodes: tuple[Node, ...], rules: tuple[Rule, ...], breaches: _Breaches, stopped: set[RuleSet]) -> None:
    for each in rules:
        holds = each.holds
        try:
            for node in nodes:
                if not holds(node):
                    breaches.note(each, node)
        except Abandoned:
            stopped.add(each.set)


def _breach(broken: Rule, node: Node) -> Breach:
    place = broken.place(node) or node
    assert place.element is not None, "only what is there is judged"
    value = broken.value(node) if broken.value else _shown(place)
    expected = broken.expected(node) if broken.expected else ""
    return Breach(broken, node.document.path(place.element), value, _figure(expected))


def _figure(expected: object) -> str:
    """Amounts with two decimals, or more where there are more; NaN where something is missing to compute it."""
    if isinstance(expected, float):
        return in_cents(expected)
    if isinstance(expected, Decimal) and expected.is_finite():
        in_full = expected.quantize(CENT)
        return f"{in_full if in_full == expected else expected.normalize():f}"
    return str(expected)


def _shown(place: Node) -> str:
    """The text of a leaf; of a group there is nothing to show."""
    return "" if place.children else place.normal
