"""A typed view over any XML document as read, so that a rule reads like the sentence it stands for.

What is absent is an object too: it is falsy, its text is empty, its number is NaN, its children are absent. Where the
schema repeats an element there is a tuple. Everything is looked up once, when it is first asked for. The view judges
nothing; it also reads documents that break the schema, and ends in Abandoned where a single element is there twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from math import nan
from typing import Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar, overload

from lxml import etree

from gateway.rules.places import Machine, Path, Place
from gateway.rules.xpath import NAN, ZERO, Abandoned, compare_untyped, normalize_space, to_decimal, to_double
from gateway.xml import CAC, CBC, DS, EXT, INVOICE, XADES

Element: TypeAlias = etree._Element

PREFIXES: Final = {
    INVOICE: "ubl",
    CAC: "cac",
    CBC: "cbc",
    EXT: "ext",
    DS: "ds",
    XADES: "xades",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonSignatureComponents-2": "sig",
    "urn:oasis:names:specification:ubl:schema:xsd:SignatureAggregateComponents-2": "sac",
    "urn:oasis:names:specification:ubl:schema:xsd:SignatureBasicComponents-2": "sbc",
}
_NAMESPACES: Final = tuple(f"{{{uri}}}*" for uri, prefix in PREFIXES.items() if prefix not in ("ds", "xades"))
_UBL: Final = tuple(each.removesuffix("*") for each in _NAMESPACES)
_URIS: Final = {prefix: uri for uri, prefix in PREFIXES.items()}

N = TypeVar("N", bound="Node")
T = TypeVar("T")


_NO_PATHS: Final[Place[Any]] = Machine[Any]((), lambda ends: None).start
_NO_CHILDREN: Final[dict[str, Any]] = {}
_KINDS: Final[dict[str, type[Node]]] = {}


@cache
def tag_of(name: str) -> str:
    """`cbc:ID` as lxml writes it."""
    prefix, _, local = name.partition(":")
    return f"{{{_URIS[prefix]}}}{local}"


def name_of(tag: str) -> str:
    """The reverse; a name of a foreign namespace stands without a prefix."""
    uri, _, local = tag.removeprefix("{").rpartition("}")
    return f"{PREFIXES[uri]}:{local}" if uri in PREFIXES else local


def path_of(element: Element) -> str:
    """XPath of an element, with an index where siblings share its name."""
    return Document(None).path(element)


def steps_of(path: str) -> Path:
    """`/ubl:Invoice/cac:TaxTotal` with the names as lxml writes them."""
    names = path.removeprefix("/").split("/")
    return Path(tuple([name if name == "*" else tag_of(name) for name in names]), path.startswith("/"))


class Lazy(Generic[T]):
    """A property computed when it is first read, then kept in the instance."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, node: None, owner: type) -> Self: ...
    @overload
    def __get__(self, node: object, owner: type) -> T: ...
    def __get__(self, node: object | None, owner: type) -> Self | T:
        if node is None:
            return self
        value = self._compute(node)
        setattr(node, self._name, value)
        return value


class _Child(Lazy[N]):
    """The only child of a name: the commonest property by far, so it is found without a detour."""

    def __init__(self, kind: type[N], name: str) -> None:
        self._tag = declare(kind, name)
        self._absent = kind.absent()

    def __set_name__(self, owner: type[Node], name: str) -> None:
        super().__set_name__(owner, name)
        if "single_children" not in owner.__dict__:
            owner.single_children = {}
        owner.single_children[self._tag] = name

    @overload
    def __get__(self, node: None, owner: type) -> Self: ...
    @overload
    def __get__(self, node: object, owner: type) -> N: ...
    def __get__(self, node: Any, owner: type) -> Self | N:
        if node is None:
            return self
        # A single child was put into the instance when it was read; here it is absent, or there are several.
        if self._tag in node.children:
            raise Abandoned(f"more than one {name_of(self._tag)}")
        setattr(node, self._name, self._absent)
        return self._absent


class _Children(Lazy[tuple[N, ...]]):
    """All children of a name."""

    def __init__(self, kind: type[N], name: str) -> None:
        self._tag = declare(kind, name)

    @overload
    def __get__(self, node: None, owner: type) -> Self: ...
    @overload
    def __get__(self, node: object, owner: type) -> tuple[N, ...]: ...
    def __get__(self, node: Any, owner: type) -> Self | tuple[N, ...]:
        if node is None:
            return self
        found = node.children.get(self._tag, ())
        nodes = tuple(found) if found.__class__ in (list, tuple) else (found,)
        setattr(node, self._name, nodes)
        return nodes


def one(kind: type[N], name: str) -> Lazy[N]:
    """The child of that name, absent if there is none."""
    return _Child(kind, name)


def many(kind: type[N], name: str) -> Lazy[tuple[N, ...]]:
    """The children of that name, in document order."""
    return _Children(kind, name)


def declare(kind: type[Node], name: str) -> str:
    """Elements of that name are of that kind: in UBL the name decides, wherever the element stands."""
    tag = tag_of(name)
    assert _KINDS.setdefault(tag, kind) is kind, f"{name} is declared as two kinds"
    return tag


def kind_of(tag: str) -> type[Node]:
    """What elements of that name are read as."""
    return _KINDS.get(tag, Node)


class Node:
    """An element, or the absence of one: a node that nothing was put into."""

    element: Element | None = None
    document: Document
    parent: Node | None = None
    _absent: ClassVar[Node]
    children: dict[str, Any] = _NO_CHILDREN
    """By name: the only one, or a list of them in document order."""
    single_children: dict[str, str] = {}  # noqa: RUF012 - each class has its own
    """Under which attribute a child is found of which the schema allows one."""

    @classmethod
    def absent(cls) -> Self:
        """Of a class of its own: only what is absent has to be asked whether it is true, all else simply is."""
        try:
            return cls.__dict__["_absent"]  # type: ignore[no-any-return]
        except KeyError:
            kind: type[Self] = type(f"Absent{cls.__name__}", (cls,), {"__bool__": lambda _: False})
            cls._absent = nothing = kind()
            return nothing

    def attribute(self, name: str) -> str:
        """Empty where it is absent."""
        return "" if self.element is None else self.element.get(name, "")

    def up(self, kind: type[N]) -> N:
        """The parent, if it is of that kind."""
        parent = self.parent
        return parent if isinstance(parent, kind) else kind.absent()

    def stands_in(self, *names: str) -> bool:
        """Below elements of these names, the nearest first."""
        here: Node | None = self
        for name in names:
            here = None if here is None else here.parent
            if here is None or here.element is None or here.element.tag != tag_of(name):
                return False
        return True

    @Lazy
    def text(self) -> str:
        """The string value: all text below, without that of comments."""
        element = self.element
        if element is None:
            return ""
        return "".join(element.itertext()) if len(element) else element.text or ""

    @Lazy
    def texts(self) -> tuple[str, ...]:
        """`text()`: the text nodes of the element itself; a comment parts one from the next."""
        element = self.element
        if element is None or not len(element):
            return (self.text,) if self.text else ()
        return tuple([piece for piece in (element.text, *[child.tail for child in element]) if piece])

    @Lazy
    def normal(self) -> str:
        return normalize_space(self.text)

    @property
    def filled(self) -> bool:
        """`. != ''`: false where it is absent; blanks count as text."""
        return self.text != ""


class Number(Node):
    """An amount, quantity or percentage."""

    @Lazy
    def decimal(self) -> Decimal:
        """The exact value; NaN if absent."""
        return NAN if self.element is None else to_decimal(self.text)

    @Lazy
    def double(self) -> float:
        """The value as xs:double, which untyped text becomes in arithmetic; NaN if absent."""
        return nan if self.element is None else to_double(self.text)

    @property
    def places(self) -> int:
        """How many characters stand after the decimal point."""
        return len(self.text.partition(".")[2])  # string-length(substring-after(., '.'))

    def equals(self, number: int | Decimal) -> bool:
        """`. = number` without a cast."""
        return bool(self) and compare_untyped(self.text, number) == 0

    def exceeds(self, number: int | Decimal) -> bool:
        """`. > number` without a cast."""
        return bool(self) and compare_untyped(self.text, number) > 0

    def is_below(self, number: int | Decimal) -> bool:
        """`. < number` without a cast."""
        return bool(self) and compare_untyped(self.text, number) < 0

    @property
    def currency(self) -> str:
        return "" if self.element is None else self.element.get("currencyID", "")

    @property
    def unit(self) -> str:
        return self.attribute("unitCode")


class Sole(Lazy["Node"]):
    """Of the nodes found the only one, absent if there is none. A search that ends in Abandoned is not begun again:
    there may be many that ask, and many to search."""

    def __init__(self, find: Callable[[Any], Iterable[Node]]) -> None:
        self._find = find

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self._abandoned = f"{name} is abandoned"

    @overload
    def __get__(self, node: None, owner: type) -> Self: ...
    @overload
    def __get__(self, node: object, owner: type) -> Node: ...
    def __get__(self, node: Any, owner: type) -> Self | Node:
        if node is None:
            return self
        if self._abandoned in node.__dict__:
            raise Abandoned(self._abandoned)
        try:
            found = single(Node, tuple(islice(self._find(node), 2)))
        except Abandoned:
            node.__dict__[self._abandoned] = True
            raise
        setattr(node, self._name, found)
        return found


def single(kind: type[N], nodes: Sequence[N]) -> N:
    """What a function that takes one item is given: a dynamic error if there are several."""
    if len(nodes) > 1:
        raise Abandoned(f"more than one {kind.__name__} where one is expected")
    return nodes[0] if nodes else kind.absent()


def add_up(numbers: Iterable[Number]) -> Decimal:
    """`sum()` of the exact values; what is absent adds nothing."""
    return sum([number.decimal for number in numbers if number], ZERO)


class Document:
    """One tree as nodes, the moment it is judged at, and what is to be visited by the paths that `start` follows."""

    def __init__(self, root: Element | None, *, start: Place[Any] = _NO_PATHS, now: datetime | None = None) -> None:
        self.root = root
        self.now = now
        self.visits: list[tuple[Node, Any]] = []
        """In document order: the nodes that paths lead to, and what their places mean."""
        self._by_tag: defaultdict[str, list[Node]] = defaultdict(list)
        self._paths: dict[Element, str] = {}
        if root is not None:
            self._read((root,), Node(), start)

    def _read(self, elements: Iterable[Element], parent: Node, places: Place[Any]) -> None:
        """These elements below a node, and all in them; the parser admits no more than 256 in one another."""
        by_tag, visits, kinds, names = self._by_tag, self.visits, _KINDS, parent.single_children
        children: dict[str, Any] = {}
        for element in elements:
            tag = element.tag
            kind = kinds.get(tag)
            if kind is None:
                if not _is_ubl(tag):
                    self._read_foreign(element, parent, places)
                    continue
                kind = Node
            node = kind()  # filled here: there are many nodes, and a constructor would take as long again
            node.element = element
            node.document = self
            node.parent = parent
            if children.setdefault(tag, node) is not node:
                _add_twin(parent, children, tag, node)
            elif tag in names:
                setattr(parent, names[tag], node)
            by_tag[tag].append(node)
            place = places[tag]
            if place.meaning is not None:
                visits.append((node, place.meaning))
            if len(element):
                self._read(element, node, place)
            else:
                node.text = element.text or ""
        if children:
            parent.children = children

    def _read_foreign(self, element: Element, parent: Node, places: Place[Any]) -> None:
        """An element of no UBL namespace, such as a signature has: read only where UBL stands in it."""
        if isinstance(element.tag, str) and next(element.iter(*_NAMESPACES), None) is not None:
            node = Node()
            node.element, node.document, node.parent = element, self, parent
            self._read(element, node, places[element.tag])

    def every(self, kind: type[N], name: str) -> tuple[N, ...]:
        """`//name`: wherever it stands in the tree, in document order."""
        tag = tag_of(name)
        assert kind_of(tag) is kind, f"{name} is not declared as that kind"
        return tuple(self._by_tag.get(tag, ()))  # type: ignore[arg-type]

    def path(self, element: Element) -> str:
        """XPath of an element, with an index where siblings share its name; counted once for all of them."""
        if element not in self._paths:
            parent = element.getparent()
            twins = [element] if parent is None else list(parent.iterchildren(element.tag))
            stem = ("" if parent is None else self.path(parent)) + f"/{name_of(element.tag)}"
            for index, twin in enumerate(twins, 1):
                self._paths[twin] = f"{stem}[{index}]" if len(twins) > 1 else stem
        return self._paths[element]

    def forget(self) -> None:
        """Lets go of the nodes: they know one another, and no tree should wait for the garbage collector."""
        for nodes in self._by_tag.values():
            for node in nodes:
                node.parent = None
        self.__dict__.clear()


def _is_ubl(tag: object) -> bool:
    """Of a comment the tag is a function."""
    return isinstance(tag, str) and tag.startswith(_UBL)


def _add_twin(parent: Node, children: dict[str, Any], tag: str, node: Node) -> None:
    """Another child of a name: they are listed, and a single one is no longer found."""
    known = children[tag]
    if known.__class__ is list:
        known.append(node)
        return
    children[tag] = [known, node]
    if tag in parent.single_children:
        delattr(parent, parent.single_children[tag])


Node.document = Document(None)
