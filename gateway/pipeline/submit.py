"""One stored document goes to the authority: the same bytes however often it takes, until an answer says which.

What is sent is on disk before the call, and so is the fact that it is being sent. A timeout is neither accepted nor
rejected. When to try again is the worker's decision, handed in.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog

from gateway import stamp
from gateway.authority import Credentials, Endpoint, Submission
from gateway.breaker import Pause
from gateway.consequence import CONSEQUENCES, Consequence, Fate, Line, status_after
from gateway.errors import BadInput, GatewayError
from gateway.invoice.facts import Profile
from gateway.ledger import SYSTEM, Cleared, Due, News, Turn
from gateway.pipeline.gateway import Gateway, Lines, same_world
from gateway.pipeline.objections import understood
from gateway.pipeline.share import announce_clearance
from gateway.verdict import Outcome, Verdict

log = structlog.get_logger()

LONGEST_ASKED: Final = timedelta(hours=1)
"""The longest wait that the authority is granted when it asks for one (Retry-After)."""
NOT_READY: Final = timedelta(minutes=5)
"""Until a document is looked at again whose unit's credentials cannot be used."""


class Retry(NamedTuple):
    """How long to wait: `again` before a document is sent again, by the number of its attempts and the last answer;
    `pause` before a broken line is tried again, by how often it broke in a row."""

    again: Callable[[int, Verdict], timedelta]
    pause: Pause


async def submit(gateway: Gateway, lines: Lines, due: Due, retry: Retry) -> Verdict:
    """Send one due document and record what came back. Conflict: another worker has it by now."""
    credentials = await _ready(gateway, due)
    endpoint = Endpoint.CLEARANCE if due.endpoint == "clearance" else Endpoint.REPORTING
    dispatch = lines.authority.dispatch(endpoint, Submission(due.uuid, due.hash, due.xml))
    attempt = await gateway.offload(
        gateway.ledger.begin_attempt, due.uuid, worker=due.worker, now=gateway.now(), wire=dispatch.wire
    )
    answered = await lines.authority.send(dispatch, credentials)
    came_at, verdict = gateway.now(), _about_ours(due, answered)
    await gateway.offload(_record, gateway, due, attempt, verdict, retry)
    await gateway.offload(_compare_clocks, gateway, verdict, came_at)
    return verdict


async def _ready(gateway: Gateway, due: Due) -> Credentials:
    """The credentials to send with. Where there are none, the document waits and keeps nobody from being sent."""
    try:
        return await gateway.offload(_credentials, gateway, due)
    except GatewayError:
        now = gateway.now()
        await gateway.offload(gateway.ledger.give_back, due.uuid, worker=due.worker, next_at=now + NOT_READY, now=now)
        raise


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


def _record(gateway: Gateway, due: Due, attempt: int, verdict: Verdict, retry: Retry) -> None:
    now, consequence = gateway.now(), CONSEQUENCES[verdict.outcome]
    turns = gateway.ledger.end_attempt(
        due.uuid,
        attempt,
        http_status=verdict.status,
        outcome=verdict.outcome,
        body=verdict.body,
        status=status_after(verdict.outcome, before=due.status, endpoint=due.endpoint),
        findings=understood(verdict.findings, due.xml),
        cleared=_cleared(due, verdict.cleared_xml),
        next_at=_next(now, attempt, verdict, retry),
        # The authority's own switch: the same document goes to reporting, same identity, same bytes.
        endpoint="reporting" if consequence.fate is Fate.REDIRECTED else None,
        wire={"headers": dict(verdict.headers)},
        news=_news(consequence, verdict, retry),
        now=now,
    )
    _tell(due, consequence, turns)
    if consequence.line is Line.ISOLATED:
        _isolate(gateway, due, now)
    if verdict.outcome is Outcome.DUPLICATE and attempt == 1:
        _remark_duplicate(gateway, due, verdict, now)
    if verdict.outcome.is_accepted and due.profile is Profile.STANDARD:
        announce_clearance(gateway, due.taxpayer_id, due.uuid)


def _news(consequence: Consequence, verdict: Verdict, retry: Retry) -> News:
    asked = timedelta(seconds=verdict.retry_after or 0)
    said = f"HTTP {verdict.status}" if verdict.status else verdict.detail or "no answer"
    return News(consequence.line, retry.pause, min(asked, LONGEST_ASKED), said)


def _tell(due: Due, consequence: Consequence, turns: tuple[Turn, ...]) -> None:
    """What an operator has to hear at once."""
    if consequence.alarm:
        log.error("authority_alarm", what=consequence.alarm, unit=due.unit_id, taxpayer=due.taxpayer_id, uuid=due.uuid)
    for turn in turns:
        if turn.open_until:
            log.warning("line_broken", line=turn.line, not_before=turn.open_until.isoformat())
        else:
            log.info("line_works_again", line=turn.line)


def _cleared(due: Due, xml: bytes | None) -> Cleared | None:
    """The cleared document with its QR, which is the one to show; ours stands in where it has none."""
    if xml is None:
        return None
    try:
        return Cleared(xml, stamp.qr_text(xml))
    except BadInput:
        return Cleared(xml, stamp.qr_text(due.xml))


def _isolate(gateway: Gateway, due: Due, now: datetime) -> None:
    """A 401 says nothing about the document, and every further call would fail alike: the unit waits for a person.
    Of an older certificate it says nothing about the unit either: only what that one stamped waits."""
    ledger = gateway.ledger
    current = ledger.current_csid(due.taxpayer_id, due.unit_id)
    if current is None or current.id != due.csid_id:
        ledger.hold_certificate(due.csid_id, now=now)
    elif ledger.held(due.taxpayer_id, due.unit_id) is None:
        ledger.hold_unit(due.taxpayer_id, due.unit_id, reason="the authority answered 401", now=now)


def _remark_duplicate(gateway: Gateway, due: Due, verdict: Verdict, now: datetime) -> None:
    """Accepted earlier, and yet we never sent it before: it happens when the authority's own front repeats a call, and
    it would happen if somebody else had our bytes. So it stands in the audit log."""
    log.warning("duplicate_at_first_sending", uuid=due.uuid, http=verdict.status)
    gateway.ledger.audit(
        taxpayer_id=due.taxpayer_id,
        actor=SYSTEM,
        action="document.duplicate_at_first_sending",
        target=due.uuid,
        detail={"http": verdict.status},
        now=now,
    )


def _compare_clocks(gateway: Gateway, verdict: Verdict, came_at: datetime) -> None:
    """The authority judges by its own clock, so ours is held against it. The clock of a proxy on the way is not that:
    only an answer that its application gave counts."""
    if verdict.date is None or CONSEQUENCES[verdict.outcome].line not in (Line.WORKS, Line.ISOLATED):
        return
    skew = gateway.clocks.saw(verdict.date, came_at)
    if skew and skew.is_wrong:
        log.error("clock_differs", seconds=round(skew.seconds), fix="Set the clock of this machine right (NTP).")


def _next(now: datetime, attempt: int, verdict: Verdict, retry: Retry) -> datetime | None:
    fate = CONSEQUENCES[verdict.outcome].fate
    if fate in (Fate.ACCEPTED, Fate.REJECTED):
        return None
    return now if fate is Fate.REDIRECTED else now + retry.again(attempt, verdict)


def _credentials(gateway: Gateway, due: Due) -> Credentials:
    csid = gateway.ledger.csid(due.csid_id)
    same_world(gateway.ledger.unit(due.taxpayer_id, due.unit_id), gateway.settings.environment)
    secret = gateway.safe.open(csid_secret(csid.taxpayer_id, csid.unit_id, csid.id))
    return Credentials(csid.request_id, csid.token, secret, disposition="ISSUED", is_compliance=False)


def csid_secret(taxpayer_id: str, unit_id: str, csid_id: str) -> str:
    """Where the API secret of a CSID is sealed."""
    return f"{taxpayer_id}/{unit_id}/{csid_id}"
