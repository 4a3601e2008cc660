"""The outcome table row by row, against a simulator that gives every answer the authority was seen to give.

A row names an answer, to which kind of document it comes, what it means, where the document stands then, and how many
times it is sent until all is well. Whatever the answer: the same bytes, one acceptance, an unbroken chain.
"""

import base64
import hashlib
import json
import time
from dataclasses import asdict
from typing import NamedTuple

import pytest
import structlog

from gateway.consequence import CONSEQUENCES, Line
from gateway.issued import Status
from gateway.ledger import Filter, NewCsid
from gateway.simulator.catalogue import CATALOGUE, CHECK, CLEARANCE, REPORTING, named
from gateway.verdict import Outcome
from tests.installation import BUSINESS, OWNER, UNIT
from tests.pipeline.conftest import opened

U, L, D, A, R = Outcome.UNKNOWN, Outcome.LIMITED, Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.REJECTED
UNKNOWN, ISSUED, HELD = Status.UNKNOWN, Status.ISSUED, Status.HELD


class Row(NamedTuple):
    """`taken` is whether the authority has the document after the first sending."""

    outcome: Outcome
    status: Status | None  # None: final
    taken: bool = False


NOT_TAKEN, LOST = Row(U, UNKNOWN), Row(U, UNKNOWN, taken=True)
NOW_FINAL = Row(A, None, taken=True)
TWICE = Row(D, None, taken=True)

# What each answer of the catalogue means, whichever of the two endpoints gives it.
TABLE: dict[str, Row] = {
    "latency": NOW_FINAL,
    "stall": LOST,
    "reset": NOT_TAKEN,
    "reset-after": LOST,
    "cut-off": NOT_TAKEN,
    "cut-off-after": LOST,
    "refused": NOT_TAKEN,
    "internal-error": NOT_TAKEN,
    "internal-error-after": LOST,
    "system-failed": NOT_TAKEN,
    "system-failed-after": LOST,
    "bad-gateway": NOT_TAKEN,
    "bad-gateway-after": LOST,
    "unavailable": NOT_TAKEN,
    "unavailable-after": LOST,
    "gateway-timeout": NOT_TAKEN,
    "gateway-timeout-after": LOST,
    "list": NOT_TAKEN,
    "list-after": LOST,
    "page": NOT_TAKEN,
    "page-after": LOST,
    "empty": NOT_TAKEN,
    "empty-after": LOST,
    "cut-json": LOST,
    "unauthorized": Row(Outcome.CREDENTIALS, HELD),
    "unauthorized-page": NOT_TAKEN,
    "forbidden-page": NOT_TAKEN,
    "not-acceptable": Row(Outcome.PROTOCOL, ISSUED),
    "too-large": Row(Outcome.TOO_LARGE, None),
    "too-large-page": Row(Outcome.TOO_LARGE, None),
    "limited": Row(L, ISSUED),
    "limited-seconds": Row(L, ISSUED),
    "limited-date": Row(L, ISSUED),
    "switched-off": Row(Outcome.CLEARANCE_OFF, None, taken=True),
    "warned": NOW_FINAL,
    "duplicate": TWICE,
    "duplicate-coded": TWICE,
    "duplicate-flat": TWICE,
    "duplicate-cleared": TWICE,
    "duplicate-cleared-warned": TWICE,
    "foreign-cleared": LOST,
    "cut-cleared": LOST,
    "nothing-cleared": LOST,
    "machinery": NOT_TAKEN,
    "null-codes": NOW_FINAL,
}
ABOUT_DOCUMENTS = [
    name for name, row in CATALOGUE.items() if not row.fault.paths or row.fault.paths & {REPORTING, CLEARANCE}
]
CASES = [
    pytest.param(name, buyer, id=f"{name}-{word}")
    for name in ABOUT_DOCUMENTS
    for word, path, buyer in (("simplified", REPORTING, {}), ("standard", CLEARANCE, BUSINESS))
    if CATALOGUE[name].fault.is_for(path)
]
FINAL = {"simplified": Status.REPORTED, "standard": Status.CLEARED}


def test_every_answer_of_the_catalogue_has_its_row():
    assert set(TABLE) == set(ABOUT_DOCUMENTS)
    assert {CHECK} == {path for name in set(CATALOGUE) - set(TABLE) for path in CATALOGUE[name].fault.paths} & {CHECK}
    assert {row.outcome for row in TABLE.values()} | {R} == set(Outcome)


@pytest.mark.parametrize(("name", "buyer"), CASES)
def test_each_answer_has_its_consequence(installation, name, buyer, sent):
    with opened(installation, authority_timeout=1.0 if name == "stall" else 30.0) as site:
        _meets(site, name, buyer)
    assert len({xml for _, _, xml in sent}) == 1


def _meets(site, name, buyer):
    row = TABLE[name]
    site.authority.faults.add(named(name, **SHORT.get(name, {})))
    issued = site.issue(1, buyer=buyer)
    site.work()
    _settled(site, row)
    final = Status.REPORTED if name == "switched-off" else FINAL[issued.profile.word]
    assert site.outcomes(issued)[0] == row.outcome.value
    assert site.now(issued).status is (row.status or (Status.REJECTED if row.outcome is Outcome.TOO_LARGE else final))
    assert (site.accepted() == [issued.hash]) is row.taken
    assert (site.ledger.held(OWNER, UNIT.id) is not None) is (CONSEQUENCES[row.outcome].line is Line.ISOLATED)
    if row.status is not None:
        _drained(site, issued, final)
    assert site.issue(2).icv == 2


SHORT = {"stall": {"delay": 1.3}, "latency": {"delay": 0.05}, "refused": {"refuse": 0.1}}


def _settled(site, row):
    """Until the authority is done with what our side did not wait for."""
    until = time.monotonic() + 10
    while row.taken and not site.accepted() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.15 if row is NOT_TAKEN else 0)


def _drained(site, issued, final):
    """All is well in the end, in one acceptance, without a hand but for a unit that was isolated."""
    if site.ledger.held(OWNER, UNIT.id):
        site.work_later(hours=1)
        assert len(site.outcomes(issued)) == 1
        site.ledger.release_unit(OWNER, UNIT.id, now=site.clock())
    site.work_later(minutes=10)
    assert site.now(issued).status is final
    assert site.accepted() == [issued.hash]
    assert len(site.outcomes(issued)) == 2


def test_every_attempt_keeps_what_went_over_the_line_and_no_secret(site):
    site.authority.faults.add(named("unavailable"))
    issued = site.issue(1)
    site.work()
    site.work_later(minutes=1)
    attempts = site.ledger.attempts(OWNER, issued.uuid)
    begun, ended = ([each.wire for each in attempts if each.phase == phase] for phase in ("begun", "ended"))
    stamped = site.ledger.stamped_xml(OWNER, issued.uuid)
    body = json.dumps(
        {"invoiceHash": issued.hash, "uuid": issued.uuid, "invoice": base64.b64encode(stamped).decode()}
    ).encode()
    assert {each["sha256"] for each in begun} == {hashlib.sha256(body).hexdigest()}
    assert begun[0]["request"].endswith(f"/developer-portal/{REPORTING}")
    assert begun[0]["headers"]["Accept-Version"] == "V2"
    assert [each["headers"]["content-type"] for each in ended] == ["text/html", "application/json"]
    assert "authorization" not in str(begun).lower()
    assert attempts[1].body.startswith(b"<html>")


def test_the_warnings_of_accepted_documents_are_counted_by_rule(site):
    site.authority.faults.add(named("warned", times=2))
    for number in (1, 2, 3):
        site.issue(number)
    site.work()
    rules = [finding.rule for each in site.ledger.invoices(OWNER, Filter()).items for finding in each.findings]
    assert rules == ["BR-KSA-98"] * 2


def test_a_duplicate_at_the_first_sending_is_remarked(site):
    site.authority.faults.add(named("duplicate"))
    issued = site.issue(1)
    with structlog.testing.capture_logs() as logged:
        site.work()
    assert "duplicate_at_first_sending" in [each["event"] for each in logged]
    entries = [each for each in site.ledger.audit_log(OWNER) if each.action == "document.duplicate_at_first_sending"]
    assert [each.object for each in entries] == [issued.uuid]


def test_what_an_older_certificate_stamped_waits_when_that_one_is_refused(site, sent):
    old = site.issue(1)
    fields = asdict(site.ledger.current_csid(OWNER, UNIT.id)) | {"id": "newer"}
    newer = {name: value for name, value in fields.items() if name in NewCsid.__dataclass_fields__}
    site.ledger.add_csid(NewCsid(**newer), now=site.clock())
    site.authority.faults.add(named("unauthorized"))
    site.work()
    assert (site.now(old).status, site.ledger.held(OWNER, UNIT.id)) == (HELD, None)
    site.work_later(hours=3)
    assert len(sent) == 1
    site.ledger.release_unit(OWNER, UNIT.id, now=site.clock())
    site.work()
    assert site.now(old).status is Status.REPORTED
