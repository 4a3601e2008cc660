"""Seals the audit log soon after something was done, and writes how far it goes to checkpoints outside the database.

Nothing that anybody waits for depends on it: where it fails, documents are made all the same, the log says why, and
what is missing follows by itself.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from gateway.errors import GatewayError
from gateway.ledger import MOST, CheckpointFiles

if TYPE_CHECKING:
    from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

SOON: Final = timedelta(seconds=10)
"""How long an entry waits at most while a worker runs, unless `MOST` come together before."""
CHECKPOINTS_EVERY: Final = timedelta(hours=1)
"""How often everybody's checkpoint is written, whether anything was done or not."""
AGAIN: Final = timedelta(minutes=1)
"""How long after a checkpoint that could not be written the next one is tried."""


class Sealer:
    """What one worker seals, and which checkpoints it still has to write."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._files = CheckpointFiles(gateway.settings.checkpoints_folder)
        self._owing: set[str] = set()
        """Taxpayers of whom a batch was sealed and no checkpoint written since."""
        self._all_due_at = self._not_before = datetime.min.replace(tzinfo=gateway.now().tzinfo)

    def look(self) -> None:
        """Seal what waited long enough, and write the checkpoints that are due."""
        waiting = self._gateway.ledger.audit_waiting()
        now = self._gateway.now()
        # A clock that was set back lets nothing wait for longer.
        if waiting.since and (waiting.entries >= MOST or abs(now - waiting.since) >= SOON):
            self.seal()
        if now >= self._not_before:
            self._write(now, everybody=now >= self._all_due_at)

    def finish(self) -> None:
        """Seal what is left before a process ends. If that fails, entries wait for the next one."""
        try:
            if self._gateway.ledger.audit_waiting().entries:
                self.seal()
                self._write(self._gateway.now(), everybody=False)
        except GatewayError as error:
            log.warning("seal_failed", error=str(error))

    def seal(self) -> None:
        """Seal all that waits; nothing while another process does."""
        while batches := self._gateway.ledger.seal_audit(now=self._gateway.now()):
            self._owing |= {batch.taxpayer_id for batch in batches}

    def _write(self, now: datetime, *, everybody: bool) -> None:
        if not (everybody or self._owing):
            return
        due = partial(self._gateway.ledger.checkpoints_due, None if everybody else frozenset(self._owing))
        try:
            key = self._gateway.sealing_key()
            self._files.append(due, key.sign, key=key.fingerprint, certificate=key.pem, now=now)
        except GatewayError as error:
            self._not_before = now + AGAIN
            log.error("checkpoint_failed", error=str(error), taxpayers=len(self._owing))
            return
        self._owing.clear()
        if everybody:
            self._all_due_at = now + CHECKPOINTS_EVERY
