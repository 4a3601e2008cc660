"""The verdict of the official validation, case by case, where the recorded cases are beside the project."""

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.finding import RuleSet
from gateway.rules import check

SETS = frozenset({RuleSet.XSD, RuleSet.EN16931})


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


def test_the_official_samples_have_no_finding(shared: Path, now: datetime) -> None:
    samples = sorted((shared / "conformance" / "samples").glob("*.xml"))
    assert len(samples) == 19
    for sample in samples:
        report = check(sample.read_bytes(), now=now, sets=SETS)
        assert report.valid, sample.name
        assert not report.findings, sample.name
        assert not report.stopped, sample.name


def _agrees(expect: dict[str, Any], xml: bytes, now: datetime) -> bool:
    report = check(xml, now=now, sets=SETS)
    if not expect["xsd"]:
        return bool(report.xsd) and not report.findings
    if expect["en"].get("stopped"):
        return not report.xsd and RuleSet.EN16931 in report.stopped
    errors = {finding.rule for finding in report.findings if finding.is_error}
    return not report.xsd and not report.stopped and errors == set(expect["en"]["error"])
