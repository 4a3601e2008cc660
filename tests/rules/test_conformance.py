"""The verdict of the official validation, case by case, where the recorded cases are beside the project."""

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.finding import RuleSet, Severity
from gateway.rules import Report, check

SETS = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})
CODES = {"en": RuleSet.EN16931, "ksa": RuleSet.KSA}


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    with (shared / "conformance" / "cases.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def render(shared: Path) -> Callable[[dict[str, Any]], bytes]:
    spec = importlib.util.spec_from_file_location("edits", shared / "conformance" / "edits.py")
    assert spec is not None
    assert spec.loader is not None
    edits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(edits)
    return edits.render  # type: ignore[no-any-return]


def test_every_case_has_the_official_verdict(
    cases: list[dict[str, Any]], render: Callable[[dict[str, Any]], bytes], now: datetime
) -> None:
    wrong = [case["id"] for case in cases if not _agrees(case["expect"], render(case), now)]
    assert not wrong, f"{len(wrong)} of {len(cases)} cases differ: {wrong[:10]}"


def test_the_official_samples_have_no_finding_but_that_they_are_old(shared: Path, now: datetime) -> None:
    samples = sorted((shared / "conformance" / "samples").glob("*.xml"))
    assert len(samples) == 19
    for sample in samples:
        report = check(sample.read_bytes(), now=now, sets=SETS)
        assert report.valid, sample.name
        assert {finding.rule for finding in report.findings} <= {"BR-KSA-98"}, sample.name
        assert not report.stopped, sample.name


def _agrees(expect: dict[str, Any], xml: bytes, now: datetime) -> bool:
    report = check(xml, now=now, sets=SETS)
    if not expect["xsd"]:
        return bool(report.xsd) and not report.findings
    return not report.xsd and all(_set_agrees(expect[code], report, rule_set) for code, rule_set in CODES.items())


def _set_agrees(expect: dict[str, Any], report: Report, rule_set: RuleSet) -> bool:
    """The exact ids by severity; of a set that the official implementation ends midway only that it does."""
    if expect.get("stopped") or rule_set in report.stopped:
        return bool(expect.get("stopped")) == (rule_set in report.stopped)
    found = {severity: {each.rule for each in report.findings if each.set is rule_set and each.severity is severity}
             for severity in Severity}  # fmt: skip
    return found == {severity: set(expect[severity]) for severity in Severity}
