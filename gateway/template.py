"""Templates: a readable XML document with marks, compiled once into a function that writes canonical text.

A template is well-formed XML. `{invoice.note}` in a text or an attribute stands for a value, `{line.net:amount}` for
one in a format of FORMATS. `t:if="invoice.buyer"` makes an element optional, `t:each="line in invoice.lines"` repeats
it; an absent element takes the white space before it along. Comments stay behind. Expressions are dotted paths (for
`t:if` joined by `and` or by `or`) and nothing else, each checked against the parameters' types at compile time. The
output is its own Canonical XML 1.1 form, so that hashing it needs no second pass. Knows nothing of invoices.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from importlib import resources
from inspect import getattr_static
from keyword import iskeyword
from types import NoneType
from typing import Any, Final, NamedTuple, NoReturn, get_args, get_origin, get_type_hints

from lxml import etree

from gateway.errors import Misconfigured
from gateway.invoice.facts import RIYADH
from gateway.xml import parse

DIRECTIVES: Final = "urn:gateway:template"
"""The namespace of t:if and t:each; it never reaches the output."""

XML: Final = "http://www.w3.org/XML/1998/namespace"

# XML 1.0 production [2]: what no document may contain, in whatever form.
_FORBIDDEN: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_is_forbidden: Final = re.compile(f"[{_FORBIDDEN}]").search
_needs_care_in_text: Final = re.compile(f"[&<>\r{_FORBIDDEN}]").search
_needs_care_in_attribute: Final = re.compile(f'[&<"\t\n\r{_FORBIDDEN}]').search


def as_text(value: str) -> str:
    """Character data as C14N 1.1 section 1.2 writes it."""
    if _needs_care_in_text(value) is None:
        return value
    assert not _is_forbidden(value), f"no XML document can hold {value!r}"
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def as_attribute(value: str) -> str:
    """An attribute's value as C14N 1.1 section 1.2 writes it."""
    if _needs_care_in_attribute(value) is None:
        return value
    assert not _is_forbidden(value), f"no XML document can hold {value!r}"
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


def as_amount(value: Decimal) -> str:
    """Exactly two decimals. A third one that says something is our mistake, for writing would round it unseen."""
    text = str(value)
    if text[-3:-2] == "." and text != "-0.00":
        return text
    halalas = value.quantize(Decimal("0.01"))
    assert halalas == value, f"{value} is not an amount of two decimals"
    return str(halalas) if halalas else "0.00"


@lru_cache(maxsize=64)
def as_rate(value: Decimal) -> str:
    """A percentage with two decimals; there are only a few."""
    return as_amount(value)


def as_price(value: Decimal) -> str:
    """At least two decimals, more only as far as they say something; never an exponent."""
    text = str(value)
    if text[-3:-2] == ".":
        return text
    assert value.is_finite(), f"{value} is not a price"
    whole, _, decimals = f"{value:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def as_number(value: Decimal) -> str:
    """As few digits as say it exactly; never an exponent."""
    assert value.is_finite(), f"{value} is not a number"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_date(value: date) -> str:
    """YYYY-MM-DD; of a moment, the day in Riyadh."""
    return (value.astimezone(RIYADH).date() if isinstance(value, datetime) else value).isoformat()


def as_time(value: datetime) -> str:
    """Of a moment, hh:mm:ss in Riyadh, without a zone. A fraction would be lost unseen, so there must be none."""
    assert not value.microsecond, f"{value} is not a moment of whole seconds"
    return value.astimezone(RIYADH).time().isoformat()


class Format(NamedTuple):
    """How values of a type are written."""

    of: type
    write: Callable[[Any], str]


FORMATS: Final[Mapping[str, Format]] = {
    "text": Format(str, as_text),
    "amount": Format(Decimal, as_amount),
    "rate": Format(Decimal, as_rate),
    "price": Format(Decimal, as_price),
    "number": Format(Decimal, as_number),
    "count": Format(int, str),
    "date": Format(date, as_date),
    "time": Format(datetime, as_time),
}
_FUNCTIONS: Final = {f"as_{name}": format_.write for name, format_ in FORMATS.items()} | {"as_attribute": as_attribute}

_PATH: Final = r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*"
_MARK: Final = re.compile(rf"({_PATH})(?::([a-z]+))?")
_EACH: Final = re.compile(rf"([a-z][a-z0-9_]*) in ({_PATH})")
_CONDITION: Final = re.compile(rf"{_PATH}(?:(?: and {_PATH})*|(?: or {_PATH})*)")


@dataclass(frozen=True)
class Template:
    """A compiled template: the function, and its text for people."""

    code: str
    write: Callable[..., str]


def load(name: str, **parameters: object) -> Template:
    """A template of the folder ubl_templates; `parameters` are the names it may use, with their types."""
    return compile_template(resources.files("ubl_templates").joinpath(name).read_bytes(), name, **parameters)


def compile_template(source: bytes, name: str, /, **parameters: object) -> Template:
    """The function that fills `source` in; Misconfigured, with the line, where the template is wrong."""
    root = parse(source)
    seen = _Compiler(name, frozenset())
    seen.compile(root, parameters)
    repeated = frozenset(value for value, times in seen.values.items() if times > 1)
    code = _Compiler(name, repeated).compile(root, parameters)
    namespace: dict[str, Any] = dict(_FUNCTIONS)
    exec(compile(code, f"<{name}>", "exec"), namespace)  # noqa: S102 - checked paths and literals only
    return Template(code, namespace["write"])


@dataclass(frozen=True)
class _Block:
    """The body of the function, of a condition or of a loop: what is known in it.

    `types` says what each name is, `present` which optional paths are there, `written` which values a variable holds.
    """

    depth: int
    types: Mapping[str, object]
    present: frozenset[str]
    written: dict[str, str]

    def inside(self, *, types: Mapping[str, object] | None = None, present: frozenset[str] = frozenset()) -> "_Block":
        return _Block(self.depth + 1, {**self.types, **(types or {})}, self.present | present, dict(self.written))


class _Compiler:
    """Walks a template and writes Python. The first walk only counts `values`: those met twice get a variable."""

    def __init__(self, name: str, repeated: frozenset[str]) -> None:
        self.name = name
        self.repeated = repeated
        self.values: Counter[str] = Counter()
        self.variables: dict[str, str] = {}
        self.lines: list[str] = []
        self.run: list[str] = []
        self.at = 0

    def compile(self, root: etree._Element, parameters: Mapping[str, object]) -> str:
        block = _Block(1, dict(parameters), frozenset(), {})
        self.lines = [f"def write(*, {', '.join(parameters)}):", "    parts = []", "    add = parts.append"]
        self.element(root, block, before="")
        self.flush(block)
        return "\n".join([*self.lines, '    return "".join(parts)', ""])

    def element(self, node: etree._Element, block: _Block, *, before: str) -> None:
        """An element with the white space `before` it, within its condition or loop."""
        self.at = node.sourceline
        condition, each = node.get(f"{{{DIRECTIVES}}}if"), node.get(f"{{{DIRECTIVES}}}each")
        if condition is None and each is None:
            return self.tag(node, block, before)
        if condition is not None and each is not None:
            self.fail("an element has t:if or t:each, not both")
        self.flush(block)
        inner = self.condition(condition, block) if condition is not None else self.loop(each or "", block)
        self.tag(node, inner, before)
        return self.flush(inner)

    def condition(self, condition: str, block: _Block) -> _Block:
        if not _CONDITION.fullmatch(condition):
            self.fail(f"t:if takes paths joined by `and` or by `or`, not `{condition}`")
        paths = re.split(" and | or ", condition)
        certain = frozenset[str]()
        for path in paths:
            self.type_of(path, block.inside(present=certain))
            if " or " not in condition:
                certain |= {path}
        self.statement(f"if {condition}:", block)
        return block.inside(present=certain)

    def loop(self, each: str, block: _Block) -> _Block:
        match = _EACH.fullmatch(each)
        if match is None:
            self.fail(f"t:each takes `name in path`, not `{each}`")
        name, path = match.groups()
        of = self.type_of(path, block)
        if get_origin(of) is not tuple or get_args(of)[1:] != (...,):
            self.fail(f"`{path}` is no tuple of equal things")
        if name in block.types or iskeyword(name):
            self.fail(f"`{name}` already means something else")
        self.statement(f"for {each}:", block)
        return block.inside(types={name: get_args(of)[0]})

    def tag(self, node: etree._Element, block: _Block, before: str) -> None:
        """The element itself: declarations and attributes in canonical order, a start and an end, never `/>`."""
        tag = _qualified(node.prefix, etree.QName(node).localname)
        self.literal(f"{before}<{tag}")
        for prefix, uri in _declared(node):
            self.literal(f' {_qualified("xmlns", prefix) if prefix else "xmlns"}="{as_attribute(uri)}"')
        for attribute, value in _attributes(node):
            self.literal(f' {attribute}="')
            self.text(value, block, "attribute")
            self.literal('"')
        self.literal(">")
        self.content(node, block)
        self.literal(f"</{tag}>")

    def content(self, node: etree._Element, block: _Block) -> None:
        before = node.text or ""
        for child in node:
            # White space goes with what follows it, and so vanishes with a comment or an absent element.
            if before.strip():
                self.text(before, block, "text")
                before = ""
            if isinstance(child.tag, str):
                self.element(child, block, before=before)
            elif child.tag is not etree.Comment:
                self.fail("only elements, texts and comments have a place in a template")
            before = child.tail or ""
        self.at = node.sourceline
        self.text(before, block, "text")

    def text(self, text: str, block: _Block, place: str) -> None:
        """A text or an attribute's value, its marks replaced by values; `place` says how characters are escaped."""
        escaped = as_attribute if place == "attribute" else as_text
        for literal, mark in _split(text):
            if "{" in literal or "}" in literal:
                self.fail(f"a brace without its partner in `{literal.strip()}`")
            self.literal(escaped(literal))
            if mark is not None:
                value = self.value(mark, block, place)
                self.run[-1] += f"{{{value}}}"

    def value(self, mark: str, block: _Block, place: str) -> str:
        """The Python expression for a mark: a call, or the variable that already holds what it gave."""
        match = _MARK.fullmatch(mark)
        if match is None:
            self.fail(f"`{{{mark}}}` is not of the form {{path}} or {{path:format}}")
        path, name = match[1], match[2] or "text"
        self.type_check(path, name, block)
        name = place if name == "text" else name
        call = f"as_{name}({path})"
        self.values[call] += 1
        if call not in self.repeated:
            return call
        if call not in block.written:
            block.written[call] = variable = f"{path.replace('.', '_')}_{name}"
            if self.variables.setdefault(variable, call) != call or variable in block.types:
                self.fail(f"`{variable}` would stand for two things; rename one of them")
            self.statement(f"{variable} = {call}", block, flush=False)
        return block.written[call]

    def type_check(self, path: str, name: str, block: _Block) -> None:
        format_ = FORMATS.get(name)
        if format_ is None:
            self.fail(f"there is no format `{name}`; known: {', '.join(FORMATS)}")
        of = self.certain(self.type_of(path, block), path, block)
        if not (isinstance(of, type) and issubclass(of, format_.of)):
            self.fail(f"format `{name}` writes {format_.of.__name__}, and `{path}` is {_spelled(of)}")

    def type_of(self, path: str, block: _Block) -> object:
        """What a path leads to; an absent step or one that may be None ends the compilation."""
        first, *steps = path.split(".")
        if first not in block.types:
            self.fail(f"there is no `{first}` here; known: {', '.join(block.types)}")
        of, walked = block.types[first], first
        for step in steps:
            owner = self.certain(of, walked, block)
            of = _members(owner).get(step) if isinstance(owner, type) else None
            if of is None or iskeyword(step):
                self.fail(f"`{walked}` is {_spelled(owner)}, which has no `{step}`")
            walked = f"{walked}.{step}"
        return of

    def certain(self, of: object, path: str, block: _Block) -> object:
        """The type without None, if the block knows that the value is there."""
        if NoneType not in get_args(of):
            return of
        if path not in block.present:
            self.fail(f'`{path}` may be absent: put it inside t:if="{path}"')
        return next(member for member in get_args(of) if member is not NoneType)

    def literal(self, text: str) -> None:
        """Add to the run, whose pieces each begin a line of the output."""
        quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace("{", "{{").replace("}", "}}")
        first, *others = quoted.split("\n")
        self.run = [*self.run[:-1], "".join(self.run[-1:]) + first, *(f"\\n{line}" for line in others)]

    def statement(self, python: str, block: _Block, *, flush: bool = True) -> None:
        if flush:
            self.flush(block)
        self.lines.append("    " * block.depth + python)

    def flush(self, block: _Block) -> None:
        """Write what has gathered as one f-string, a line of output to a line of Python."""
        indent = "    " * block.depth
        pieces = [f"{indent}    f'{piece}'" for piece in self.run if piece]
        if pieces:
            self.lines += [f"{indent}add(", *pieces, f"{indent})"]
        self.run = []

    def fail(self, why: str) -> NoReturn:
        raise Misconfigured(f"The template {self.name} is wrong in line {self.at}: {why}.", fix="Correct the template.")


def _qualified(prefix: str | None, name: str) -> str:
    return f"{prefix}:{name}" if prefix else name


def _declared(node: etree._Element) -> list[tuple[str, str]]:
    """The namespaces an element declares anew, by prefix, the default one first."""
    parent = node.getparent()
    above = parent.nsmap if parent is not None else {}
    fresh = ((prefix or "", uri) for prefix, uri in node.nsmap.items() if above.get(prefix) != uri)
    return sorted((prefix, uri) for prefix, uri in fresh if uri != DIRECTIVES)


def _attributes(node: etree._Element) -> list[tuple[str, str]]:
    """Attributes in canonical order: by namespace, those without one first, then by local name."""
    prefixes = {uri: prefix for prefix, uri in node.nsmap.items() if prefix} | {XML: "xml"}
    names = [etree.QName(name) for name in node.attrib]
    ordered = sorted(
        (name.namespace or "", name.localname, name.text) for name in names if name.namespace != DIRECTIVES
    )
    return [(_qualified(prefixes.get(uri), local), node.attrib[full]) for uri, local, full in ordered]


def _split(text: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of a literal and the mark that follows it; after the last literal there is none."""
    literals = re.split(r"\{([^{}]*)\}", text)
    yield from zip(literals[::2], [*literals[1::2], None], strict=True)


@cache
def _members(owner: type) -> Mapping[str, object]:
    """The attributes of a class with their types: annotated fields and properties."""
    members: dict[str, object] = dict(get_type_hints(owner))
    for name in dir(owner):
        member = getattr_static(owner, name)
        getter = member.func if isinstance(member, cached_property) else getattr(member, "fget", None)
        if getter is not None:
            members[name] = get_type_hints(getter).get("return")
    return members


def _spelled(of: object) -> str:
    return of.__name__ if isinstance(of, type) else str(of)
