"""The buyer's copy: of a standard document the cleared one only, unless the connection shares in an outage.

Failure of the authority to answer lets the seller hand over the uncleared document, keep sending it, and share the
cleared one when it comes (zatca-api 4.3, regulation R15). Whether that is done is the connection's decision.
"""

from typing import NamedTuple

import structlog

from gateway.errors import NotCleared
from gateway.invoice.policy import AuthorityDown, read_policy
from gateway.issued import Issued, Status
from gateway.pipeline.gateway import Gateway
from gateway.verdict import Outcome

log = structlog.get_logger()


class Copy(NamedTuple):
    """What a buyer gets; `uncleared` if the authority's own copy is still to follow."""

    xml: bytes
    qr: str
    uncleared: bool


def buyers_copy(gateway: Gateway, taxpayer_id: str, uuid: str, *, actor: str, only_looks: bool = False) -> Copy:
    """The document to share. NotCleared if it is a standard one that a buyer may not have yet.

    To give out an uncleared one is noted with the document; whoever `only_looks` shares nothing, and is given it only
    if it was shared before.
    """
    ledger = gateway.ledger
    issued = ledger.invoice(taxpayer_id, uuid)
    if not issued.awaits_clearance:
        return Copy(ledger.xml(taxpayer_id, uuid), issued.qr, uncleared=False)
    if not (_shares(gateway, taxpayer_id, issued) and _is_unanswered(gateway, taxpayer_id, issued)):
        raise _not_cleared(issued)
    if not issued.shared_uncleared:
        if only_looks:
            raise _not_cleared(issued)
        ledger.note_shared_uncleared(taxpayer_id, uuid, actor=actor, now=gateway.now())
        log.warning("shared_uncleared", taxpayer=taxpayer_id, uuid=uuid, number=issued.number)
    return Copy(ledger.stamped_xml(taxpayer_id, uuid), issued.qr, uncleared=True)


def announce_clearance(gateway: Gateway, taxpayer_id: str, uuid: str) -> bool:
    """To be called when a document was accepted: whether it was shared uncleared before. The log says that the cleared
    copy has to follow, and so does `shared_uncleared` in the answer."""
    issued = gateway.ledger.invoice(taxpayer_id, uuid)
    again = issued.shared_uncleared and issued.status.is_accepted
    if again:
        log.warning("share_again", taxpayer=taxpayer_id, uuid=uuid, number=issued.number, status=issued.status.value)
    return again


def is_kept_back(gateway: Gateway, taxpayer_id: str, issued: Issued) -> bool:
    """Whether nothing is sent for now: the document's unit is held, or no line to the authority works."""
    ledger = gateway.ledger
    if issued.status is Status.HELD and ledger.held(taxpayer_id, ledger.unit_of(taxpayer_id, issued.uuid)):
        return True
    return any(line.is_authoritys for line in ledger.broken_lines())


def _shares(gateway: Gateway, taxpayer_id: str, issued: Issued) -> bool:
    settings = gateway.ledger.connection(taxpayer_id, issued.connection).settings
    return read_policy(settings).authority_down is AuthorityDown.SHARE


def _is_unanswered(gateway: Gateway, taxpayer_id: str, issued: Issued) -> bool:
    """Whether the authority was tried in vain: with this document, or so often that nothing is sent at all now. A unit
    that is held, and a note that waits for its original, were not kept back by the authority's silence."""
    if issued.status not in (Status.ISSUED, Status.SENDING, Status.UNKNOWN):
        return False
    if any(line.is_authoritys for line in gateway.ledger.broken_lines()):
        return True
    ended = [each.outcome for each in gateway.ledger.attempts(taxpayer_id, issued.uuid) if each.phase == "ended"]
    return Outcome.UNKNOWN in ended and ended[-1] is not Outcome.CREDENTIALS


def _not_cleared(issued: Issued) -> NotCleared:
    number = issued.number
    if issued.status is Status.REJECTED:
        return NotCleared(
            f"Document {number} was rejected by the authority: nothing was issued that a buyer could have.",
            fix="Correct it (POST /v1/invoices/{uuid}/correction), and share the document that replaces it.",
            ar=f"رفضت الهيئة المستند {number} ولا يجوز تسليمه للمشتري. صحّحه وشارك المستند البديل.",
        )
    if issued.status is Status.REPLACED:
        return NotCleared(
            f"Document {number} was rejected by the authority, and another stands in its place.",
            fix="Share the document that replaces it.",
            ar=f"رفضت الهيئة المستند {number} وحلّ محله مستند آخر. شارك المستند البديل.",
        )
    return NotCleared(
        f"Document {number} is not cleared yet: a standard document is shared after the authority has cleared it.",
        fix="Ask again in a moment. If the authority does not answer for long, the connection's setting"
        " authority_down=share lets the uncleared document go to the buyer.",
        ar=f"لم تعتمد الهيئة المستند {number} بعد، ولا يُسلَّم للمشتري قبل اعتماده. أعد المحاولة بعد قليل.",
    )
