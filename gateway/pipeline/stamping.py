"""The stamp that follows: a document whose link is committed is signed by a slow signer, proved, and let go.

The bytes to be signed were judged before the link was; what is proved here is the whole, with its signature. A signer
that does not answer, or answers with another key's signature, keeps the document waiting and nothing else.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, partial

import structlog

from gateway import ubl
from gateway.csid import read_certificate
from gateway.errors import Conflict, GatewayError
from gateway.issued import Status
from gateway.keys import throw_away_signer
from gateway.ledger import DueStamp
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.proof import Case
from gateway.pipeline.rendered import stamped, stamped_foreign

log = structlog.get_logger()


@cache
def shape() -> Callable[[bytes], bytes]:
    """Signs with a key of this process alone: what is not signed yet is judged in the shape that it will have."""
    return throw_away_signer()


def follow_stamp(gateway: Gateway, due: DueStamp, again: timedelta) -> bool:
    """Stamp a document whose stamp is due; whether that was done. If not, it is tried `again` after that time."""
    try:
        status = _stamp(gateway, due)
    except Conflict:
        return False  # another worker has it, or has done it
    except Exception as error:  # noqa: BLE001, whatever a signer does, the document waits
        said = str(error) if isinstance(error, GatewayError) else f"{type(error).__name__}: {error}"
        next_at = gateway.now() + again
        gateway.ledger.postpone_stamp(due.uuid, worker=due.worker, next_at=next_at, error=said)
        log.error("stamp_missing", uuid=due.uuid, number=due.number, unit=due.unit_id, error=said)
        return False
    log.info("stamped", uuid=due.uuid, number=due.number, status=status.value)
    return True


def _stamp(gateway: Gateway, due: DueStamp) -> Status:
    unit = gateway.ledger.unit(due.taxpayer_id, due.unit_id)
    pem = gateway.ledger.csid(due.csid_id).certificate.encode()
    content, signed_at = ubl.read(due.body), _not_before(due.made_at, gateway.now())
    sign = partial(gateway.stamper.sign, unit.key(due.csid_id))
    is_ours = ubl.render(*content) == due.body  # else another system wrote it
    write = partial(stamped, content) if is_ours else partial(stamped_foreign, due.body)
    document = write(read_certificate(pem), sign, signed_at)
    assert document.hash == due.hash, "what is stamped is what was linked"
    # It is judged by the moment it was made: what was right then is not wrong for having waited.
    proof = gateway.judges.ask(Case(document.xml, content, pem, due.made_at)).result()
    proof.admit({each.rule for each in due.allowed})
    return gateway.ledger.put_stamp(
        due.uuid,
        worker=due.worker,
        signature=document.raw_signature,
        xml=document.xml,
        qr=document.qr,
        signed_at=signed_at,
    )


def _not_before(made_at: datetime, now: datetime) -> datetime:
    return max(made_at, now)
