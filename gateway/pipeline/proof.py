"""Nothing leaves unproved: before a document is kept, its finished bytes are read back and judged by the whole book.

Pure, so that it may be done by another process; see judges.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from gateway import rules, ubl
from gateway.csid import read_certificate
from gateway.errors import NotCompliant
from gateway.finding import Finding, RuleSet
from gateway.invoice.origin import traced
from gateway.xml import parse

LATENESS: Final = "BR-KSA-98"
"""The deadline clock owns it: it says nothing about the document, and so never stops one."""
UNSIGNED: Final = rules.ALL_SETS - {RuleSet.SIGNATURE}
"""What is judged of a document whose signature is still to follow."""
_FIELDS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A finished document and what it is to be held against: what it should say, the unit's certificate (as it is on
    record), and the moment to judge by. `sets` is all of the rule book but for what has no signature of its own yet."""

    xml: bytes
    content: ubl.Content
    certificate: bytes
    now: datetime
    sets: Set[RuleSet] = rules.ALL_SETS


class Proof(NamedTuple):
    """What a document was judged by, and the rules that it breaks: all must be warnings that are allowed."""

    rule_book: str
    findings: tuple[Finding, ...]

    def admit(self, allowed: Set[str]) -> None:
        """NotCompliant if it breaks rules; warnings of rules that are `allowed` may stand."""
        refused = tuple(each for each in self.findings if each.is_error or each.rule not in allowed)
        if refused:
            raise not_compliant(refused)


def prove(case: Case) -> Proof:
    """The finished bytes are read once; they say what they should, and are judged whole: schema, rules, hash, signature
    by the unit's certificate, QR and link."""
    root = parse(case.xml)
    certificate = read_certificate(case.certificate)
    pih = case.content.link.pih
    report = rules.judge(root, size=len(case.xml), now=case.now, sets=case.sets, certificate=certificate, pih=pih)
    assert ubl.says(root, case.content), "the document does not read back as it was meant"
    assert not report.stopped, "no document of ours ends the official rules midway"
    found = (each for each in (*report.xsd, *report.findings) if each.rule != LATENESS)
    return Proof(report.book, traced(found, case.content.invoice))


def not_compliant(findings: tuple[Finding, ...]) -> NotCompliant:
    """The refusal that names the rules, each with the fields of the order to look at."""
    fields: dict[str, dict[str, None]] = {}
    for finding in findings:
        named = fields.setdefault(finding.rule, {})
        if finding.order_field:
            named[finding.order_field] = None
    broken = [f"{rule} ({_some([*named])})" if named else rule for rule, named in fields.items()]
    return NotCompliant(
        f"The document would break {', '.join(broken)}.",
        findings=findings,
        fix="Mend what the findings name and send the order again; no counter was used.",
        ar=f"المستند يخالف القواعد {'، '.join(broken)}."
        " صحح البيانات المذكورة ثم أعد الإرسال؛ لم يُستهلك أي رقم فاتورة ولا أي عدّاد.",
    )


def _some(fields: list[str]) -> str:
    """The first few: a rule may be broken by every line."""
    return ", ".join(fields[:_FIELDS_SHOWN]) + (", ..." if len(fields) > _FIELDS_SHOWN else "")
