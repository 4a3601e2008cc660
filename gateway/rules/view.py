"""A typed view over any UBL invoice as read, so that a rule reads like the sentence it stands for.

What is absent is an object too: it is falsy, its text is empty, its number is NaN, its children are absent. Where the
schema repeats an element there is a tuple. Everything is looked up once, when it is first asked for. The view judges
nothing; it also reads documents that break the schema, and ends in Abandoned where a single element is there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar, overload

from lxml import etree

from gateway.rules.xpath import NAN, Abandoned, compare_untyped, normalize_space, to_boolean, to_decimal
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
_URIS: Final = {prefix: uri for uri, prefix in PREFIXES.items()}

N = TypeVar("N", bound="Node")
T = TypeVar("T")


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
        self._kind = kind
        self._tag = tag_of(name)

    @overload
    def __get__(self, node: None, owner: type) -> Self: ...
    @overload
    def __get__(self, node: object, owner: type) -> N: ...
    def __get__(self, node: Any, owner: type) -> Self | N:
        if node is None:
            return self
        found = node.children.get(self._tag)
        if not found:
            child = self._kind.absent()
        elif len(found) == 1:
            nodes = node.document.nodes
            child = nodes.get(found[0])
            if child.__class__ is not self._kind:
                child = nodes[found[0]] = self._kind(found[0], node.document)
        else:
            raise Abandoned(f"more than one {name_of(self._tag)}")
        setattr(node, self._name, child)
        return child


def one(kind: type[N], name: str) -> Lazy[N]:
    """The child of that name, absent if there is none."""
    return _Child(kind, name)


def many(kind: type[N], name: str) -> Lazy[tuple[N, ...]]:
    """The children of that name, in document order."""
    tag = tag_of(name)

    def find(node: Node) -> tuple[N, ...]:
        return tuple([node.document.node(element, kind) for element in node.children.get(tag, ())])

    return Lazy(find)


class Node:
    """An element, or the absence of one."""

    _absent: ClassVar[Node]

    def __init__(self, element: Element | None, document: Document) -> None:
        self.element = element
        self.document = document

    @classmethod
    def absent(cls) -> Self:
        try:
            return cls.__dict__["_absent"]  # type: ignore[no-any-return]
        except KeyError:
            cls._absent = cls(None, NOWHERE)
            return cls._absent

    def __bool__(self) -> bool:
        return self.element is not None

    def up(self, kind: type[N]) -> N:
        """The parent."""
        parent = None if self.element is None else self.element.getparent()
        return kind.absent() if parent is None else self.document.node(parent, kind)

    @Lazy
    def children(self) -> dict[object, list[Element]]:
        found: dict[object, list[Element]] = {}
        for child in () if self.element is None else list(self.element):
            tag = child.tag
            if tag in found:
                found[tag].append(child)
            else:
                found[tag] = [child]
        return found

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

    def equals(self, number: int | Decimal) -> bool:
        """`. = number` without a cast."""
        return bool(self) and compare_untyped(self.text, number) == 0

    def exceeds(self, number: int | Decimal) -> bool:
        """`. > number` without a cast."""
        return bool(self) and compare_untyped(self.text, number) > 0

    @property
    def currency(self) -> str:
        return "" if self.element is None else self.element.get("currencyID", "")


class Indicator(Node):
    @Lazy
    def is_true(self) -> bool:
        return bool(self) and to_boolean(self.text)

    @Lazy
    def is_false(self) -> bool:
        return bool(self) and not to_boolean(self.text)


class TaxScheme(Node):
    id = one(Node, "cbc:ID")


class TaxCategory(Node):
    id = one(Node, "cbc:ID")
    percent = one(Number, "cbc:Percent")
    scheme = one(TaxScheme, "cac:TaxScheme")

    @Lazy
    def is_vat(self) -> bool:
        return bool(self.scheme) and normalize_space(self.scheme.id.text.upper()) == "VAT"

    @Lazy
    def vat_code(self) -> str:
        """The category code where the scheme is VAT, else empty."""
        return self.id.normal if self.is_vat else ""


class AllowanceCharge(Node):
    indicator = one(Indicator, "cbc:ChargeIndicator")
    amount = one(Number, "cbc:Amount")
    categories = many(TaxCategory, "cac:TaxCategory")


class TaxSubtotal(Node):
    taxable = one(Number, "cbc:TaxableAmount")
    tax = one(Number, "cbc:TaxAmount")
    category = one(TaxCategory, "cac:TaxCategory")


class TaxTotal(Node):
    amount = one(Number, "cbc:TaxAmount")
    subtotals = many(TaxSubtotal, "cac:TaxSubtotal")


class MonetaryTotal(Node):
    tax_exclusive = one(Number, "cbc:TaxExclusiveAmount")
    tax_inclusive = one(Number, "cbc:TaxInclusiveAmount")
    allowances = one(Number, "cbc:AllowanceTotalAmount")
    charges = one(Number, "cbc:ChargeTotalAmount")
    payable = one(Number, "cbc:PayableAmount")


class ItemProperty(Node):
    name = one(Node, "cbc:Name")
    value = one(Node, "cbc:Value")


class Item(Node):
    categories = many(TaxCategory, "cac:ClassifiedTaxCategory")


class Price(Node):
    amount = one(Number, "cbc:PriceAmount")


class Line(Node):
    id = one(Node, "cbc:ID")
    quantity = one(Number, "cbc:InvoicedQuantity")
    net = one(Number, "cbc:LineExtensionAmount")
    item = one(Item, "cac:Item")
    price = one(Price, "cac:Price")


class DocumentReference(Node):
    id = one(Node, "cbc:ID")


class BillingReference(Node):
    invoice = one(DocumentReference, "cac:InvoiceDocumentReference")


class LegalEntity(Node):
    name = one(Node, "cbc:RegistrationName")


class Party(Node):
    legal_entities = many(LegalEntity, "cac:PartyLegalEntity")


class PartyRole(Node):
    party = one(Party, "cac:Party")


class Invoice(Node):
    id = one(Node, "cbc:ID")
    issue_date = one(Node, "cbc:IssueDate")
    type_code = one(Node, "cbc:InvoiceTypeCode")
    currency = one(Node, "cbc:DocumentCurrencyCode")
    seller = one(PartyRole, "cac:AccountingSupplierParty")
    allowances_charges = many(AllowanceCharge, "cac:AllowanceCharge")
    tax_totals = many(TaxTotal, "cac:TaxTotal")
    total = one(MonetaryTotal, "cac:LegalMonetaryTotal")
    lines = many(Line, "cac:InvoiceLine")

    @Lazy
    def allowances(self) -> tuple[AllowanceCharge, ...]:
        return tuple([each for each in self.allowances_charges if each.indicator.is_false])

    @Lazy
    def charges(self) -> tuple[AllowanceCharge, ...]:
        return tuple([each for each in self.allowances_charges if each.indicator.is_true])

    @Lazy
    def subtotals(self) -> tuple[TaxSubtotal, ...]:
        return tuple([subtotal for total in self.tax_totals for subtotal in total.subtotals])


def single(kind: type[N], nodes: Iterable[N]) -> N:
    """What a function that takes one item is given: a dynamic error if there are several."""
    found = tuple(nodes)
    if len(found) > 1:
        raise Abandoned(f"more than one {kind.__name__} where one is expected")
    return found[0] if found else kind.absent()


def add_up(numbers: Iterable[Number]) -> Decimal:
    """`sum()` of the exact values; what is absent adds nothing."""
    return sum([number.decimal for number in numbers if number], Decimal(0))


class Document:
    """One tree and the nodes made of it so far."""

    def __init__(self, root: Element | None) -> None:
        self.root = root
        self.nodes: dict[Element, Node] = {}
        self._paths: dict[Element, str] = {}

    def node(self, element: Element, kind: type[N]) -> N:
        """The node of an element: always the same one while it is asked for as the same kind."""
        node = self.nodes.get(element)
        if node.__class__ is not kind:
            node = self.nodes[element] = kind(element, self)
        return node

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
        """Lets go of the nodes: they know their document, and no tree should wait for the garbage collector."""
        self.nodes.clear()

    def every(self, kind: type[N], name: str) -> tuple[N, ...]:
        """`//name`: wherever it stands in the tree."""
        elements: Iterable[Element] = () if self.root is None else self.root.iter(tag_of(name))
        return tuple([self.node(element, kind) for element in elements])


NOWHERE: Final = Document(None)
