"""Strict clients: what chance sends is the same for a seed, and a client that is right gets everything through."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.authority import Authority
from gateway.simulator import CATALOGUE, SURVIVABLE, Faults, Running, Strict, create, named
from gateway.simulator.catalogue import CLEARANCE, COMPLIANCE, REPORTING
from gateway.unit import Environment
from gateway.verdict import Outcome


def _series(strict: Strict, calls: int = 300, **more: Any) -> list[str]:
    drawn = [strict.draw((REPORTING, CLEARANCE)[i % 2], **({"is_repeatable": True} | more)) for i in range(calls)]
    return [fault.name if fault else "" for fault in drawn]


def test_a_seed_is_a_series() -> None:
    first = _series(Strict(seed=7))
    assert first == _series(Strict(seed=7))
    assert first != _series(Strict(seed=8))
    strict = Strict(seed=7)
    _series(strict, 11)
    strict.restart()
    assert first == _series(strict)


def test_the_rate_is_that_of_all_calls() -> None:
    counted = Counter(_series(Strict(seed=1, rate=0.3), 4000))
    assert 0.27 < 1 - counted[""] / 4000 < 0.33
    assert set(counted) - {""} == {n for n in SURVIVABLE if n != "older-form"}
    assert set(_series(Strict(rate=0.0))) == {""}
    assert "" not in _series(Strict(rate=1.0))


def test_chance_loses_no_answer_that_only_a_person_can_have_again() -> None:
    for name in filter(None, _series(Strict(rate=1.0), 2000, is_repeatable=False)):
        fault = CATALOGUE[name].fault
        assert not fault.accept or not fault.spoils_answer


def test_what_isolates_a_client_comes_only_when_asked_for() -> None:
    assert {"unauthorized", "too-large", "not-acceptable", "errors-as-strings"} & set(SURVIVABLE) == set()
    assert set(_series(Strict(rate=1.0, faults=("unauthorized",)))) == {"unauthorized"}


def test_faults_come_to_the_endpoints_that_were_named() -> None:
    drawn = _series(Strict(rate=1.0, endpoints=frozenset({CLEARANCE})))
    assert set(drawn[::2]) == {""}
    assert "" not in drawn[1::2]


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 1.1}, {"faults": ()}, {"faults": ("no",)}, {"delay": -1.0}, {"stall": 1e9}, {"retry_after": -1}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Strict(**wrong)


def test_a_queued_fault_goes_before_chance() -> None:
    faults = Faults(strict=Strict(rate=1.0, faults=("unavailable",)))
    faults.add(named("limited"))
    drawn = [fault.name for _ in range(2) if (fault := faults.next(COMPLIANCE))]
    assert drawn == ["limited", "unavailable"]


def test_delays_and_waits_are_those_of_the_strict_mode() -> None:
    strict = Strict(rate=1.0, faults=("stall", "latency", "limited-seconds"), delay=0.1, stall=0.2, retry_after=3)
    drawn = {fault.name: fault for _ in range(50) if (fault := strict.draw(REPORTING, is_repeatable=True))}
    assert (drawn["stall"].delay, drawn["latency"].delay, drawn["limited-seconds"].delay) == (0.2, 0.1, 0.0)
    assert drawn["limited-seconds"].retry_after == 3


async def _deliver(authority: Any, credentials: Any, document: Any, *, is_standard: bool) -> int:
    """How often a document was sent until it was accepted, the same bytes each time."""
    call = authority.clear if is_standard else authority.report
    for sendings in range(1, 50):
        verdict = await call(credentials, document)
        if verdict.outcome is Outcome.CLEARANCE_OFF:
            call = authority.report
        elif verdict.outcome.is_accepted and (not verdict.cleared_xml or document.uuid in str(verdict.cleared_xml)):
            return sendings
    raise AssertionError(f"document {document.uuid} never came through")


def _all_through(till: Any, enrol: Any, strict: Strict, count: int) -> int:
    """Send documents, 20 at once; the most that one was sent. Each is accepted once, and all sendings are the same."""
    simulator, at_once = create(), asyncio.Semaphore(20)

    async def one(authority: Any, credentials: Any, number: int) -> int:
        async with at_once:
            is_standard = number % 3 == 0
            document = till.document("01" if is_standard else "02")
            return await _deliver(authority, credentials, document, is_standard=is_standard)

    async def run(url: str) -> list[int]:
        async with Authority(url, timeout=10.0) as authority:
            credentials = await enrol(authority, till)
            simulator.faults.strict = strict
            return await asyncio.gather(*(one(authority, credentials, number) for number in range(count)))

    with Running(simulator) as running:
        sendings = asyncio.run(run(running.url(Environment.SANDBOX)))
    sent: dict[str, set[str]] = {}
    for exchange in simulator.state.exchanges:
        if exchange.endpoint in (REPORTING, CLEARANCE):
            sent.setdefault(exchange.uuid, set()).add(exchange.sent)
    assert [len(bodies) for bodies in sent.values()] == [1] * count
    assert sorted(sent) == sorted(document.uuid for document in simulator.state.accepted)
    assert sorted(document.icv or 0 for document in simulator.state.accepted) == list(range(1, count + 1))
    return max(sendings)


def test_a_client_that_sends_again_gets_every_document_through_once(tool: Any) -> None:
    strict = Strict(seed=3, rate=0.4, delay=0.001, stall=0.001)
    assert _all_through(tool.Till(), tool.enrol, strict, 60) > 2


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_documents_get_through_once(tool: Any, seed: int) -> None:
    assert _all_through(tool.Till(), tool.enrol, Strict(seed=seed), 1000) > 2


def test_a_reset_begins_the_series_again() -> None:
    strict = Strict(seed=5)
    simulator = create(strict=strict)
    first = _series(strict)
    simulator.faults.strict = None
    simulator.state.reset()
    assert simulator.faults.strict is strict
    assert _series(strict) == first
