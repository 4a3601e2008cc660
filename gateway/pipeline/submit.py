"""One stored document goes to the authority: the same bytes however often it takes, until an answer says which.

What is sent is on disk before the call, and so is the fact that it is being sent. A timeout is neither accepted nor
rejected. When to try again is the worker's decision, handed in.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from gateway import stamp
from gateway.authority import Credentials, Submission
from gateway.errors import BadInput
from gateway.issued import Status
from gateway.ledger import Cleared, Due
from gateway.pipeline.gateway import Gateway, Lines, same_world
from gateway.verdict import Outcome, Verdict

log = structlog.get_logger()

Again = Callable[[int, Verdict], timedelta]
"""How long to wait before the next attempt, by the number of attempts made and the last answer."""


async def submit(gateway: Gateway, lines: Lines, due: Due, again: Again) -> Verdict:
    """Send one due document and record what came back. Conflict: another worker has it by now."""
    credentials = await gateway.offload(_credentials, gateway, due)
    attempt = await gateway.offload(gateway.ledger.begin_attempt, due.uuid, worker=due.worker, now=gateway.now())
    send = lines.authority.clear if due.endpoint == "clearance" else lines.authority.report
    verdict = _about_ours(due, await send(credentials, Submission(due.uuid, due.hash, due.xml)))
    await gateway.offload(_record, gateway, due, attempt, verdict, again)
    return verdict


def _about_ours(due: Due, verdict: Verdict) -> Verdict:
    """The verdict, if what was cleared is what was sent; a cleared document of somebody else is no answer at all."""
    if verdict.cleared_xml is None or not verdict.outcome.is_accepted:
        return verdict
    try:
        same = stamp.invoice_hash(verdict.cleared_xml) == due.hash
    except BadInput:
        same = False
    if same:
        return verdict
    log.error("cleared_other_document", uuid=due.uuid)
    detail = "The cleared document in the answer is not the one that was sent."
    return replace(verdict, outcome=Outcome.UNKNOWN, findings=(), cleared_xml=None, detail=detail)


def _record(gateway: Gateway, due: Due, attempt: int, verdict: Verdict, again: Again) -> None:
    now = gateway.now()
    gateway.ledger.end_attempt(
        due.uuid,
        attempt,
        http_status=verdict.status,
        outcome=verdict.outcome,
        body=verdict.body,
        status=_status(due, verdict.outcome),
        findings=verdict.findings,
        cleared=_cleared(due, verdict.cleared_xml),
        next_at=_next(now, attempt, verdict, again),
        # The authority's own switch: the same document goes to reporting, same identity, same bytes.
        endpoint="reporting" if verdict.outcome is Outcome.CLEARANCE_OFF else None,
        now=now,
    )
    if verdict.outcome is Outcome.CREDENTIALS:
        _hold(gateway, due, now)


def _cleared(due: Due, xml: bytes | None) -> Cleared | None:
    """The cleared document with its QR, which is the one to show; ours stands in where it has none."""
    if xml is None:
        return None
    try:
        return Cleared(xml, stamp.qr_text(xml))
    except BadInput:
        return Cleared(xml, stamp.qr_text(due.xml))


def _hold(gateway: Gateway, due: Due, now: datetime) -> None:
    """A 401 says nothing about the document, and every further call would fail alike: the unit waits for a person.
    Of an older certificate it says nothing about the unit either."""
    current = gateway.ledger.current_csid(due.taxpayer_id, due.unit_id)
    is_current = current is not None and current.id == due.csid_id
    if is_current and gateway.ledger.held(due.taxpayer_id, due.unit_id) is None:
        gateway.ledger.hold_unit(due.taxpayer_id, due.unit_id, reason="the authority answered 401", now=now)


def _status(due: Due, outcome: Outcome) -> Status:
    """Where the document stands after an answer; what was not received leaves it as it was."""
    if outcome.is_accepted:
        return Status.CLEARED if due.endpoint == "clearance" else Status.REPORTED
    if outcome in (Outcome.REJECTED, Outcome.TOO_LARGE):
        return Status.REJECTED
    was_unknown = due.status in (Status.UNKNOWN, Status.SENDING)
    return Status.UNKNOWN if was_unknown or outcome is Outcome.UNKNOWN else Status.ISSUED


def _next(now: datetime, attempt: int, verdict: Verdict, again: Again) -> datetime | None:
    if verdict.outcome.is_final:
        return None
    return now if verdict.outcome is Outcome.CLEARANCE_OFF else now + again(attempt, verdict)


def _credentials(gateway: Gateway, due: Due) -> Credentials:
    csid = gateway.ledger.csid(due.csid_id)
    same_world(gateway.ledger.unit(due.taxpayer_id, due.unit_id), gateway.settings.environment)
    secret = gateway.safe.open(csid_secret(csid.taxpayer_id, csid.unit_id, csid.id))
    return Credentials(csid.request_id, csid.token, secret, disposition="ISSUED", is_compliance=False)


def csid_secret(taxpayer_id: str, unit_id: str, csid_id: str) -> str:
    """Where the API secret of a CSID is sealed."""
    return f"{taxpayer_id}/{unit_id}/{csid_id}"
