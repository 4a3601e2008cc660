"""Seals the audit log: soon after something was done, and before a process that did something ends."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from gateway.errors import GatewayError
from gateway.ledger import MOST

if TYPE_CHECKING:
    from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

SOON: Final = timedelta(seconds=10)
"""How long an entry waits at most while a worker runs, unless `MOST` come together before."""


def seal_when_due(gateway: "Gateway") -> int:
    """Seal all that waits if the oldest of it waited for ten seconds or there is much; how many batches were made."""
    waiting = gateway.ledger.audit_waiting()
    if waiting.since is None:
        return 0
    is_due = waiting.entries >= MOST or abs(gateway.now() - waiting.since) >= SOON
    return seal(gateway) if is_due else 0


def seal(gateway: "Gateway") -> int:
    """Seal all that waits; how many batches were made. None are made while another process seals."""
    made = 0
    while batches := gateway.ledger.seal_audit(now=gateway.now()):
        made += len(batches)
    return made


def seal_at_the_end(gateway: "Gateway") -> None:
    """Seal what is left. If that fails, entries wait for the next process; nobody hears of it but the log."""
    try:
        if gateway.ledger.audit_waiting().entries:
            seal(gateway)
    except GatewayError as error:
        log.warning("seal_failed", error=str(error))
