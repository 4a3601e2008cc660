"""Judges prove documents beside the one that makes them; whatever becomes of them, each case has its answer."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.order import read_order
from gateway.pipeline import judges as room
from gateway.pipeline.issue import Request, issue
from gateway.pipeline.judges import Judges
from gateway.pipeline.proof import Case, prove
from gateway.ubl import Content
from tests.installation import OWNER, order
from tests.stamp_documents import CERTIFICATE
from tests.ubl_documents import HEADING, LINK, SIMPLIFIED


def case_of(invoice=SIMPLIFIED):
    from gateway.keys.curve import signer
    from gateway.pipeline.rendered import stamped
    from tests.stamp_documents import KEY

    content = Content(invoice, HEADING, LINK)
    document = stamped(content, CERTIFICATE, signer(KEY), HEADING.issued_at)
    return Case(document.xml, content, CERTIFICATE.der, HEADING.issued_at)


@pytest.fixture
def two(monkeypatch):
    """Two judges at work; one that is lost has a successor at once."""
    monkeypatch.setattr(room, "REPLACED_AFTER", 0.0)
    with Judges(2) as judges:
        _until_ready(judges)
        yield judges


def _until_ready(judges):
    until = time.monotonic() + 30
    while not all(each._is_ready for each in judges._judges):
        assert time.monotonic() < until, "the judges do not start"
        with judges._lock:
            judges._hand_out()
            judges._fetch()
        time.sleep(0.01)


def asked(judges, count=20):
    case = case_of()
    return [judges.ask(case) for _ in range(count)]


def test_a_judge_finds_what_is_found_here(two):
    good, bad = case_of(), case_of(replace(SIMPLIFIED, payment_means="xyz"))
    pending = [two.ask(each) for each in (good, bad) * 6]
    assert [each.result() for each in pending] == [prove(good), prove(bad)] * 6
    assert prove(bad).findings


def test_what_cannot_be_proved_is_told_where_it_was_asked(two):
    case = case_of()
    pending = [two.ask(replace(case, content=case.content._replace(link=LINK.next("other")))) for _ in range(9)]
    for each in pending:
        with pytest.raises(AssertionError, match="read back"):
            each.result()


def test_judges_that_die_lose_nothing_and_have_successors(two):
    before = two.pids()
    pending = asked(two)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert {each.result().findings for each in pending} == {()}
    _until_ready(two)
    assert not set(two.pids()) & set(before)


def test_a_judge_that_hangs_is_not_waited_for(two, monkeypatch):
    monkeypatch.setattr(room, "PATIENCE", 0.1)
    for pid in two.pids():
        os.kill(pid, signal.SIGSTOP)
    assert {each.result().findings for each in asked(two)} == {()}


def test_without_judges_a_case_is_proved_when_it_is_asked_for():
    assert Judges().ask(case_of()).result().findings == ()


def test_a_judge_knows_no_setting(monkeypatch):
    monkeypatch.setenv("GATEWAY_MASTER_KEY", "secret")
    with Judges(1) as judges:
        _until_ready(judges)
        assert b"GATEWAY_" not in Path(f"/proc/{judges.pids()[0]}/environ").read_bytes()


def test_orders_are_issued_with_judges_as_without(site, two):
    gateway = replace(site.gateway, judges=two)
    made = [issue(gateway, Request(OWNER, "tests", read_order(order(n)))).issued for n in range(5)]
    assert [each.icv for each in made] == [1, 2, 3, 4, 5]
