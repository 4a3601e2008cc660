"""The authority's own stylesheets, run as they are from a folder of its SDK: a second opinion beside the rule book.

Reads what they report (SVRL) and knows none of their rules. They need saxonche (the extra `official`), which takes
zone and clock from the process: Asia/Riyadh is set before it starts, and the moment cannot be chosen. A process that
has opened the stylesheets must not be forked.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.errors import Misconfigured
from gateway.finding import RuleSet, Severity
from gateway.rules import Report, check
from gateway.rules.book import Book
from gateway.xml import parse

# In lower case, for the folders above them are not written alike in every release.
NAMES: Final = {RuleSet.EN16931: "cen-en16931-ubl.xsl", RuleSet.KSA: "*zatca*validation_rules*.xsl"}
SETS: Final = frozenset(NAMES)
"""The rule sets that the authority publishes as stylesheets."""

_FAILED: Final = "//*:failed-assert/concat(@flag, ' ', @id)"


class Opinion(NamedTuple):
    """What the stylesheet of one set finds broken; of one that `stopped`, by a dynamic error, nothing is known."""

    set: RuleSet
    broken: frozenset[tuple[str, Severity]] = frozenset()
    stopped: bool = False


class Difference(NamedTuple):
    """A rule that one side alone finds broken, or without a rule: a set that one side alone calls stopped."""

    set: RuleSet
    rule: str
    severity: Severity | None
    is_official: bool


class Comparison(NamedTuple):
    """Where both sides part, and the seconds that each took to read the document and judge it by these sets."""

    differences: tuple[Difference, ...]
    ours: float
    official: float


def find(folder: Path) -> dict[RuleSet, Path]:
    """The stylesheets in a folder of the SDK, wherever below it; Misconfigured if it is not just one for each set."""
    if not folder.is_dir():
        raise Misconfigured(f"There is no folder {folder}.", fix="Name the folder that the SDK was unpacked into.")
    found: dict[RuleSet, list[Path]] = {each: [] for each in NAMES}
    for path in sorted(folder.rglob("*.[xX][sS][lL]")):
        for rule_set, name in NAMES.items():
            if fnmatch(path.name.lower(), name):
                found[rule_set].append(path)
    for rule_set, paths in found.items():
        if not paths:
            raise Misconfigured(
                f"{folder} holds no stylesheet of the set {rule_set} ({NAMES[rule_set]}).",
                fix="Name the folder that the SDK was unpacked into; there they lie in Data/Rules/Schematrons.",
            )
        if len(paths) > 1:
            raise Misconfigured(
                f"{folder} holds several stylesheets of the set {rule_set}: {paths[0]}, {paths[1]}.",
                fix="Name the folder of one release of the SDK.",
            )
    return {rule_set: paths[0] for rule_set, paths in found.items()}


def must_be_installed() -> None:
    """Misconfigured if the processor of stylesheets is missing."""
    if find_spec("saxonche") is None:
        raise Misconfigured(
            "The official stylesheets need saxonche, which is not installed.",
            fix="Install it: pip install 'saxonche>=13,<14'.",
        )


class Stylesheets:
    """The two stylesheets, compiled once; Misconfigured if they cannot be."""

    def __init__(self, folder: Path) -> None:
        must_be_installed()
        os.environ["TZ"] = "Asia/Riyadh"
        time.tzset()
        import saxonche

        self._failure: type[Exception] = saxonche.PySaxonApiError
        self._processor = saxonche.PySaxonProcessor(license=False)
        self._compiled = {rule_set: self._compile(path) for rule_set, path in find(folder).items()}
        self._failed = self._processor.new_xpath_processor()

    def _compile(self, path: Path) -> Any:
        try:
            return self._processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))
        except self._failure as error:
            reason = " ".join(str(error).split())
            raise Misconfigured(
                f"{path} is no stylesheet that can be used: {reason}", fix="Unpack the SDK again."
            ) from None

    def opinions(self, root: etree._Element) -> tuple[Opinion, ...]:
        """What each stylesheet says of a document, now and in Riyadh."""
        # Plain ASCII with references is read alike whatever encoding the processor believes in.
        document = self._processor.parse_xml(xml_text=etree.tostring(root).decode("ascii"))
        return tuple(self._opinion(rule_set, document) for rule_set in self._compiled)

    def _opinion(self, rule_set: RuleSet, document: Any) -> Opinion:
        try:
            with _silence():
                report = self._compiled[rule_set].transform_to_value(xdm_node=document)
        except self._failure:
            return Opinion(rule_set, stopped=True)
        self._failed.set_context(xdm_item=report.head)
        found = self._failed.evaluate(_FAILED)
        failed = [str(found.item_at(place)) for place in range(found.size if found is not None else 0)]
        return Opinion(rule_set, frozenset(map(_broken, failed)))


def _broken(failed: str) -> tuple[str, Severity]:
    flag, _, rule = failed.strip('"').rpartition(" ")
    return rule, Severity.WARNING if flag == "warning" else Severity.ERROR


@contextmanager
def _silence() -> Iterator[None]:
    """Standard error goes nowhere: the processor writes there what it also raises."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def differences(report: Report, opinions: tuple[Opinion, ...]) -> Iterator[Difference]:
    """Where our report and the official opinions part. Where the official side stopped, only that fact counts."""
    for opinion in opinions:
        is_stopped = opinion.set in report.stopped
        if opinion.stopped != is_stopped:
            yield Difference(opinion.set, "", None, opinion.stopped)
        if opinion.stopped or is_stopped:
            continue
        ours = {(each.rule, each.severity) for each in report.findings if each.set is opinion.set}
        for rule, severity in sorted(opinion.broken ^ ours):
            yield Difference(opinion.set, rule, severity, (rule, severity) in opinion.broken)


@cache
def _opened(folder: Path) -> Stylesheets:
    return Stylesheets(folder)


def compare(folder: Path, xml: bytes, report: Report, *, now: datetime, book: Book, limit: int) -> Comparison:
    """Our report on a document that keeps the schema, beside what the stylesheets in this folder say of it."""
    is_first = not _opened.cache_info().currsize
    stylesheets = _opened(folder)
    if is_first:  # what is done once only is not measured
        stylesheets.opinions(parse(xml, limit=limit))
    began = time.perf_counter()
    check(xml, now=now, sets=SETS, book=book, limit=limit)
    turned = time.perf_counter()
    opinions = stylesheets.opinions(parse(xml, limit=limit))
    ended = time.perf_counter()
    return Comparison(tuple(differences(report, opinions)), turned - began, ended - turned)
