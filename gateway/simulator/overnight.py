"""Rules switched on overnight: a rule of the book made harder, softer or silent, or a made-up one by XPath.

The authority changes what it judges by without a word; a client has to see the new refusals for what they are.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from lxml import etree

from gateway import xml
from gateway.rules.r3_4_8 import BOOK
from gateway.simulator.document import Document
from gateway.simulator.remark import Remark

MAX_RULES: Final = 100
MAX_XPATH: Final = 500
MAX_DOCUMENT: Final = 300_000
"""Bytes of the largest document that made-up rules look at."""
MAX_NODES: Final = 20_000
"""Its elements, texts and attributes."""
MAX_NODES_AGAIN: Final = 3_000
"""The same for rules that look through the document again for each thing they have found."""

STAMP_CODES: Final = frozenset(
    """QRCODE_INVALID invoiceHash_QRCODE_INVALID invoiceTimeStamp_QRCODE_INVALID CERTIFICATE_SIGNATURE_QRCODE_INVALID
    certificate-permissions invalid-signing-certificate invalid-digital-signature signed-properties-hashing
    X509IssuerName X509SerialNumber KSA-1 KSA-13 KSA-16""".split()
)
"""Codes that are no rules of the book and can be switched all the same."""

_KNOWN: Final = STAMP_CODES | {rule.id for rule in BOOK.rules}
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
_LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'")
_CALL = re.compile(r"([A-Za-z_][\w.:-]*)\s*\(")
_PREFIX = re.compile(r"([A-Za-z_][\w.-]*):(?!:)")
_FAR = re.compile(r"//|\b(?:ancestor|descendant|following|preceding)(?:-or-self|-sibling)?\s*::")
_MOST_FAR: Final = 2
_UP: Final = re.compile(
    rf"{_FAR.pattern}|\.\.|\bparent\s*::|(?:[\[(,=<>|+-]|\b(?:or|and|div|mod)|[\w)\].]\s*\*)\s*/(?!/)"
)
_MOST_UP: Final = 1
_FUNCTIONS: Final = frozenset(
    """last position count local-name namespace-uri name string concat starts-with contains substring-before
    substring-after substring string-length normalize-space translate boolean not true false number sum floor ceiling
    round text node comment and or div mod""".split()
)


class Level(StrEnum):
    """What a rule does to a document that breaks it."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


class Switch:
    """A switched rule. With `xpath` it is a made-up one that a document breaks if the XPath finds something or is true.

    ValueError unless the rule is known or has an XPath, and the XPath is XPath 1.0 within the limits: its length, no
    functions but those of XPath, no variables, two steps at most that look through the whole document, and within
    predicates one at most that leaves what was found: each of them multiplies the time.
    """

    def __init__(self, rule: str, level: Level, *, xpath: str = "", message: str = "") -> None:
        if not _ID.fullmatch(rule):
            raise ValueError("an id has letters, digits, - and _, at most 60, from a letter on")
        if not xpath and rule not in _KNOWN:
            raise ValueError(f"{rule} is no rule of the book; a made-up one has an xpath")
        if xpath and rule in _KNOWN:
            raise ValueError(f"{rule} is a rule of the book; a made-up one has an id of its own")
        self.rule, self.level, self.xpath = rule, level, xpath
        self.message = message or "A rule that was made up for a test does not hold."
        self._broken = _compiled(xpath) if xpath else None
        self._most_nodes = MAX_NODES_AGAIN if _looks_again(xpath) else MAX_NODES

    def remark(self, document: Document) -> Remark | None:
        """What a made-up rule says of a document; nothing of one that is too large to be looked through."""
        if self._broken is None or self.level is Level.OFF or len(document.source) > MAX_DOCUMENT:
            return None
        if document.nodes > self._most_nodes:
            return None
        try:
            is_broken = bool(self._broken(document.root))
        except etree.XPathError:
            return None
        text = f"[{self.rule}] - {self.message}"
        return Remark(self.rule, "KSA", text, is_error=self.level is Level.ERROR) if is_broken else None

    def shown(self) -> dict[str, str]:
        """For the management port."""
        return {"id": self.rule, "severity": self.level, "xpath": self.xpath, "message": self.message}


def _compiled(xpath: str) -> etree.XPath:
    if len(xpath) > MAX_XPATH:
        raise ValueError(f"an XPath has at most {MAX_XPATH} characters")
    bare = _LITERAL.sub("''", xpath)
    strange = sorted(set(_CALL.findall(bare)) - _FUNCTIONS)
    if strange or "$" in bare:
        raise ValueError(f"only functions of XPath 1.0, no variables: {', '.join(strange) or '$'}")
    unknown = sorted(set(_PREFIX.findall(bare)) - set(xml.NAMESPACES))
    if unknown:
        raise ValueError(f"the prefix {unknown[0]} is none of {', '.join(xml.NAMESPACES)}")
    if len(_FAR.findall(bare)) > _MOST_FAR:
        raise ValueError(f"an XPath looks through the document (//, descendant::, ...) at most {_MOST_FAR} times")
    if _looks_again(xpath) > _MOST_UP:
        raise ValueError(
            f"within [ ] an XPath leaves what was found (//, .., /, ancestor::, ...) at most {_MOST_UP} time"
        )
    try:
        compiled = etree.XPath(xpath, namespaces=xml.NAMESPACES, regexp=False, smart_strings=False)
        compiled(etree.Element("Invoice"))
    except etree.XPathError as error:
        raise ValueError(f"this is no XPath 1.0: {error}") from None
    return compiled


def _looks_again(xpath: str) -> int:
    """How often an XPath goes, within its predicates, to nodes outside what it has found."""
    bare, depth, count = _LITERAL.sub("''", xpath), 0, 0
    for part in re.split(r"(?=[\[\]])", bare):
        depth += part.startswith("[") - part.startswith("]")
        count += len(_UP.findall(part)) if depth > 0 else 0
    return count


def judged_anew(document: Document, remarks: Iterable[Remark], rules: Mapping[str, Switch]) -> list[Remark]:
    """The remarks of the judge as the switched rules have it, and those of the made-up rules."""
    if not rules:
        return list(remarks)
    kept = [_graded(remark, rules.get(remark.code)) for remark in remarks]
    made_up = (switch.remark(document) for switch in rules.values())
    return [remark for remark in (*kept, *made_up) if remark is not None]


def _graded(remark: Remark, switch: Switch | None) -> Remark | None:
    if switch is None:
        return remark
    return None if switch.level is Level.OFF else remark._replace(is_error=switch.level is Level.ERROR)
