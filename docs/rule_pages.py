"""The pages of docs/rules: one entry a rule, from the book, its texts and the violations the tests know.

`python docs/generate.py` writes them; a test compares them with what this would write.
"""

import copy
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.finding import RuleSet
from gateway.rules.book import FIRST_RELEASE, Rule
from gateway.rules.r3_4_8 import BOOK, EN16931, KSA
from gateway.rules.words import read
from gateway.xml import parse
from tests.rules.broken import NAMESPACES, Violation, apply, good, violations

FOLDER: Final = Path(__file__).parent / "rules"
_SHOWN: Final = 60
_NOTE: Final = "<!-- Written by docs/generate.py. -->\n\n"
_STAMP_SETS: Final = (RuleSet.QR, RuleSet.SIGNATURE, RuleSet.PIH)


class Page(NamedTuple):
    """A page of declared rules."""

    file: str
    title: str
    texts: str
    rules: tuple[Rule, ...]


def _numbered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if re.fullmatch(r"BR-KSA-\d+", rule.id))


def _others(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if not re.fullmatch(r"BR-KSA-\d+", rule.id))


PAGES: Final = (
    Page("en16931.md", "Rules that come from EN 16931", "en16931", EN16931),
    Page("ksa.md", "Rules of the authority: BR-KSA", "ksa", _numbered(KSA)),
    Page("ksa-formats.md", "Rules of the authority: code lists, decimals, lengths and formats", "ksa", _others(KSA)),
)


def pages() -> dict[str, str]:
    """The text of every page by the name of its file."""
    return {page.file: _page(page) for page in PAGES} | {"stamp.md": _stamp_page(), "README.md": _index()}


def _page(page: Page) -> str:
    entries = "\n".join(_entry(rule, read(page.texts)[rule.id], violations()[rule.id]) for rule in _sorted(page.rules))
    return f"{_NOTE}# {page.title}\n\nRelease {BOOK.version}. [All rules](README.md)\n\n{entries}"


def _sorted(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: natural(rule.id))


def natural(rule_id: str) -> list[tuple[int, str]]:
    """Orders BR-KSA-9 before BR-KSA-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", rule_id)]


def _entry(rule: Rule, words: dict[str, str], violation: Violation) -> str:
    since = f"{rule.since} or before" if rule.since == FIRST_RELEASE else rule.since
    return (
        f"## {rule.id}\n\n{words['means']}\n\n"
        f"**{rule.severity.value.capitalize()}** of the set {rule.set.value}; term {rule.term}; since {since}.\n\n"
        f"{_example(violation)}\n\n{_said(words)}\n"
    )


def _said(words: dict[str, str]) -> str:
    """What a finding says, and how to mend it."""
    return (
        f"- {_plain(words['en'])}\n- {_plain(words['ar'])}\n\n"
        f"To mend it: {_plain(words['fix_en'])}\n{_plain(words['fix_ar'])}\n"
    )


def _plain(sentence: str) -> str:
    """A text with its placeholders as an ellipsis."""
    return re.sub(r"\{\w+\}", "…", sentence)


# -- examples -------------------------------------------------------------------------------------------------


def _example(violation: Violation) -> str:
    if violation.never:
        return f"No document can break it: {violation.never}"
    root = parse(good(violation.base))
    shown = "\n".join(_shown(root, edit) for edit in violation.edits)
    along = ", ".join(sorted(violation.along, key=natural))
    parts = [f"```xml\n{shown}\n```"]
    if violation.unreachable:
        parts.append(f"No document that keeps the schema can break it. {violation.unreachable}")
    elif along:
        parts.append(f"Breaks along with it: {along}.")
    return "\n\n".join(parts)


def _shown(root: Any, edit: tuple[str, ...]) -> str:
    """The edit as it stands in the document afterwards."""
    verb, path, *rest = edit
    (element,) = root.xpath(path, namespaces=NAMESPACES)[:1]
    place = f"<!-- {path.removeprefix('/ubl:Invoice/')} -->"
    before = _xml(element)
    apply(root, edit)
    match verb:
        case "drop":
            return f"<!-- missing: {path.removeprefix('/ubl:Invoice/')} -->"
        case "repeat":
            return f"{place}\n{before}\n<!-- and once more -->\n{before}"
        case "text" | "set" | "unset":
            return f"{place}\n{_xml(element)}"
    where = {"before": "before", "after": "after", "first": "first in", "last": "last in"}[verb]
    return f"<!-- {where} {path.removeprefix('/ubl:Invoice/')} -->\n{_inserted(rest[0])}"


def _inserted(xml: str) -> str:
    wrapped = etree.fromstring(f'<x xmlns:cac="{NAMESPACES["cac"]}" xmlns:cbc="{NAMESPACES["cbc"]}">{xml}</x>')
    return "\n".join(_xml(each) for each in wrapped)


def _xml(element: Any) -> str:
    """An element without the declarations of prefixes; what is long is cut, and deep content left out."""
    bare = copy.deepcopy(element)
    bare.tail = None
    for each in bare.iter(etree.Element):
        each.text = _cut(each.text)
        for name, value in each.items():
            each.set(name, _cut(value) or "")
    etree.indent(bare)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", etree.tostring(bare, encoding="unicode"))
    lines = text.splitlines()
    return "\n".join(lines if len(lines) <= 16 else [*lines[:3], "  ...", lines[-1]])


def _cut(text: str | None) -> str | None:
    if not text or len(text) <= _SHOWN:
        return text
    return f"{text[:8]}... ({len(text)} characters)"


# -- the other pages ------------------------------------------------------------------------------------------


def stamp_set(code: str) -> RuleSet:
    """The file of texts lists the QR's codes first, then the signature's, then KSA-13."""
    codes = list(read("stamped"))
    if code == "KSA-13":
        return RuleSet.PIH
    return RuleSet.QR if codes.index(code) < codes.index("GW-STAMP-MISSING") else RuleSet.SIGNATURE


def stamp_codes(rule_set: RuleSet) -> list[str]:
    """The codes of one of the sets outside the stylesheets."""
    return [code for code in read("stamped") if stamp_set(code) is rule_set]


def _stamp_page() -> str:
    parts = [f"{_NOTE}# QR, signature and previous hash\n\nThese checks are outside the official stylesheets. "
             "Their codes are those of the authority's SDK; the two that begin with `GW-` are ours, for what it does "
             "not see. [All rules](README.md)\n"]  # fmt: skip
    for rule_set in _STAMP_SETS:
        parts.append(f"## {rule_set.value}\n")
        parts += [_stamp_entry(code, read("stamped")[code]) for code in stamp_codes(rule_set)]
    return "\n".join(parts)


def _stamp_entry(code: str, words: dict[str, str]) -> str:
    severity = "Warning" if code == "timeStamp" else "Error"
    term = f"; term {words['term']}" if words.get("term") else ""
    return f"### {code}\n\n{words['means']}\n\n**{severity}**{term}.\n\n{_said(words)}"


def _index() -> str:
    rows = [row for page in PAGES for row in _rows(page)]
    rows += [_row(code, "stamp.md", "warning" if code == "timeStamp" else "error", read("stamped")[code])
             for rule_set in _STAMP_SETS for code in stamp_codes(rule_set)]  # fmt: skip
    table = "\n".join(["| rule | severity | demands |", "| --- | --- | --- |", *rows])
    return (
        f"{_NOTE}# The rules\n\nWhat `gateway validate` judges by: release {BOOK.version} of the official rules, "
        f"{len(BOOK.rules)} ids, and the checks of QR, signature and previous hash. The schema comes first; its "
        "breaches have the code `XSD_ZATCA_INVALID` and say line, place and what was expected. How findings read, and "
        f"what `stopped` means, is in [the reference](../reference/rules.md).\n\n{table}\n"
    )


def _rows(page: Page) -> Iterator[str]:
    for rule in _sorted(page.rules):
        yield _row(rule.id, page.file, rule.severity.value, read(page.texts)[rule.id])


def _row(code: str, file: str, severity: str, words: dict[str, str]) -> str:
    anchor = re.sub(r"[^\w -]", "", code.lower()).replace(" ", "-")
    return f"| [{code}]({file}#{anchor}) | {severity} | {words['means'].replace('|', chr(92) + '|')} |"


def write() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
