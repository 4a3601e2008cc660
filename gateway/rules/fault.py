"""A rule that does not hold, before words are put to it."""

from typing import NamedTuple

from gateway.finding import RuleSet, Severity


class Fault(NamedTuple):
    """`rule` is the official id or code, `path` an XPath into the document, `value` what stands there."""

    set: RuleSet
    rule: str
    severity: Severity
    path: str
    value: str = ""
