"""The whole official validation of one document, stage by stage, in the authority's order.

Gives what each stage found, with words. It neither changes nor signs anything and asks nobody.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from lxml import etree

from gateway.csid import Certificate
from gateway.finding import Finding, RuleSet, Text
from gateway.invoice.facts import RIYADH
from gateway.rules import schema, stamped
from gateway.rules.book import Book, Breach
from gateway.rules.fault import Fault
from gateway.rules.r3_4_8 import BOOK
from gateway.rules.words import wordings
from gateway.xml import MAX_XML_BYTES, parse

ALL_SETS: Final = frozenset(RuleSet)
_STAMPED: Final = frozenset({RuleSet.QR, RuleSet.SIGNATURE, RuleSet.PIH})
BOOKS: Final[Mapping[str, Book]] = {book.version: book for book in (BOOK,)}
"""Every release that can be judged by, oldest first."""

_NOT_COMPUTABLE: Final = Text("not computable", "غير قابل للحساب")
_TEXTS: Final = {RuleSet.EN16931: "en16931", RuleSet.KSA: "ksa"}


@dataclass(frozen=True, slots=True)
class Report:
    """`xsd` breaches of the schema, `findings` those of all other sets, `stopped` the sets that the official
    implementation abandons on this document (our findings of such a set stand nevertheless), `book` the release."""

    book: str
    xsd: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    stopped: tuple[RuleSet, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.xsd and not any(finding.is_error for finding in self.findings)

    def as_json(self, file: str) -> dict[str, object]:
        """The object that `gateway validate --json` prints for one file."""
        return {
            "file": file,
            "valid": self.valid,
            "xsd": {"valid": not self.xsd, "errors": [finding.message.en for finding in self.xsd]},
            "findings": [finding.as_json() for finding in (*self.xsd, *self.findings)],
            "stopped": [each.value for each in self.stopped],
            "rules": self.book,
        }


def check(
    xml: bytes,
    *,
    now: datetime,
    zone: tzinfo = RIYADH,
    sets: Set[RuleSet] = ALL_SETS,
    certificate: Certificate | None = None,
    pih: str | None = None,
    book: Book = BOOK,
    limit: int = MAX_XML_BYTES,
) -> Report:
    """Judges any UBL document by the rule sets asked for; UnreadableXml if it is no XML that may be read.

    `now` is the aware moment to judge by, `zone` that of dates and times that name none. `certificate` and `pih` are
    what the stamp and the previous invoice hash are compared with, where they are known. `limit` is the greatest
    size in bytes. A document that breaks the schema is judged no further.
    """
    root = parse(xml, limit=limit)
    return judge(root, size=len(xml), now=now, zone=zone, sets=sets, certificate=certificate, pih=pih, book=book)


def judge(
    root: etree._Element,
    *,
    size: int,
    now: datetime,
    zone: tzinfo = RIYADH,
    sets: Set[RuleSet] = ALL_SETS,
    certificate: Certificate | None = None,
    pih: str | None = None,
    book: Book = BOOK,
) -> Report:
    """The same of a document that is parsed already, which had `size` bytes; the tree is left as it is."""
    assert now.tzinfo is not None, "a rule about time needs to know the zone"
    if RuleSet.XSD in sets and (broken := schema.findings(root, size=size)):
        return Report(book.version, xsd=broken)
    found: list[Finding] = []
    stopped: tuple[RuleSet, ...] = ()
    if not sets.isdisjoint(_TEXTS):
        breaches, stopped = book.judge(root, sets, now=now.astimezone(zone))
        found += map(_of_breach, breaches)
    if sets & _STAMPED:
        faults = stamped.faults(root, certificate=certificate, pih=pih)
        found += [_of_fault(fault) for fault in faults if fault.set in sets]
    return Report(book.version, findings=tuple(_in_order(found)), stopped=stopped)


def _in_order(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Set by set, a rule once a place."""
    stages = list(RuleSet)
    once = {(finding.rule, finding.path): finding for finding in findings}
    yield from sorted(once.values(), key=lambda finding: stages.index(finding.set))


def _of_breach(breach: Breach) -> Finding:
    rule = breach.rule
    expected = _NOT_COMPUTABLE if breach.expected == "NaN" else breach.expected
    message, fix = wordings(_TEXTS[rule.set])[rule.id].about(value=breach.value, expected=expected)
    return Finding(rule.id, rule.severity, rule.set, breach.path, rule.term, message, fix)


def _of_fault(fault: Fault) -> Finding:
    wording = wordings("stamped")[fault.rule]
    message, fix = wording.about(value=fault.value)
    return Finding(fault.rule, fault.severity, fault.set, fault.path, wording.term, message, fix)
