"""One stored document goes to the authority: the same bytes however often it takes, until an answer says which.

What is sent is on disk before the call, and so is the fact that it is being sent. A timeout is neither accepted nor
rejected. When to try again is the worker's decision, handed in.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from gateway.authority import Credentials, Submission
from gateway.issued import Status
from gateway.ledger import Due
from gateway.pipeline.gateway import Gateway, Lines
from gateway.verdict import Outcome, Verdict

Again = Callable[[int, Verdict], timedelta]
"""How long to wait before the next attempt, by the number of attempts made and the last answer."""

_STATUS: Final = {
    Outcome.REJECTED: Status.REJECTED,
    Outcome.TOO_LARGE: Status.REJECTED,
    Outcome.CREDENTIALS: Status.HELD,
    Outcome.NOT_RECEIVED: Status.ISSUED,
    Outcome.UNKNOWN: Status.UNKNOWN,
    Outcome.CLEARANCE_OFF: Status.ISSUED,
}


async def submit(gateway: Gateway, lines: Lines, due: Due, again: Again) -> Verdict:
    """Send one due document and record what came back."""
    credentials = await gateway.offload(_credentials, gateway, due)
    verdict = await _exchange(gateway, lines, due, credentials, again, endpoint=due.endpoint)
    if verdict.outcome is Outcome.CLEARANCE_OFF:
        # The authority's own switch: the same document goes to reporting, same identity, same bytes.
        verdict = await _exchange(gateway, lines, due, credentials, again, endpoint="reporting")
    if verdict.outcome is Outcome.CREDENTIALS:
        # Says nothing about the document. Every further call would fail alike, so the unit waits for a person.
        await gateway.offload(_hold, gateway, due)
    return verdict


async def _exchange(
    gateway: Gateway, lines: Lines, due: Due, credentials: Credentials, again: Again, *, endpoint: str
) -> Verdict:
    attempt = await gateway.offload(gateway.ledger.begin_attempt, due.uuid, now=gateway.now())
    send = lines.authority.clear if endpoint == "clearance" else lines.authority.report
    verdict = await send(credentials, Submission(due.uuid, due.hash, due.xml))
    now = gateway.now()
    await gateway.offload(
        gateway.ledger.end_attempt,
        due.uuid,
        attempt,
        http_status=verdict.status,
        outcome=verdict.outcome.value,
        body=verdict.body,
        status=_status(endpoint, verdict),
        findings=verdict.findings,
        cleared_xml=verdict.cleared_xml,
        next_at=_next(now, attempt, verdict, again),
        now=now,
    )
    return verdict


def _status(endpoint: str, verdict: Verdict) -> Status:
    if verdict.outcome.is_accepted:
        return Status.CLEARED if endpoint == "clearance" else Status.REPORTED
    return _STATUS[verdict.outcome]


def _next(now: datetime, attempt: int, verdict: Verdict, again: Again) -> datetime | None:
    if verdict.outcome.is_final:
        return None
    return now if verdict.outcome is Outcome.CLEARANCE_OFF else now + again(attempt, verdict)


def _credentials(gateway: Gateway, due: Due) -> Credentials:
    csid = gateway.ledger.csid(due.csid_id)
    return Credentials.of(csid.request_id, csid.token, gateway.safe.open(csid_secret(due.taxpayer_id, csid.id)))


def csid_secret(taxpayer_id: str, csid_id: str) -> str:
    """Where the API secret of a CSID is sealed."""
    return f"{taxpayer_id}/csid/{csid_id}"


def _hold(gateway: Gateway, due: Due) -> None:
    gateway.ledger.hold_unit(due.taxpayer_id, due.unit_id, reason="the authority answered 401", now=gateway.now())
