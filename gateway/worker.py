"""Runs what is due: shop hints, submissions, link-backs. The only place that decides about retries.

The ledger's rows are the truth: whoever claims a row holds a lease on it, and a worker that dies is taken over when
the lease ends. A bell only shortens the wait.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

import structlog

from gateway.errors import GatewayError
from gateway.ledger import Due, DueLinkBack, DueNotice
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.intake import follow
from gateway.pipeline.link_back import link_back
from gateway.pipeline.submit import submit
from gateway.verdict import Verdict

log = structlog.get_logger()
T = TypeVar("T")

POLL: Final = 0.5
"""Seconds between looks at the ledger when no bell rings."""
LEASE_MARGIN: Final = timedelta(seconds=15)
"""How much longer than the authority's timeout a row is held: time for the ledger's own writes."""
LONGEST_WAIT: Final = timedelta(minutes=5)


def wait_after(attempts: int, *, chance: float) -> timedelta:
    """Exponential, from one second to five minutes, spread by `chance` (0 to 1) so that many do not come at once."""
    seconds = min(2.0 ** min(attempts - 1, 20), LONGEST_WAIT.total_seconds())
    return timedelta(seconds=seconds * (0.5 + chance / 2))


class Worker:
    """Takes due rows and runs their procedures, many at a time."""

    def __init__(
        self, gateway: Gateway, lines: Lines, *, name: str, chance: Callable[[], float] = random.random
    ) -> None:
        self._gateway = gateway
        self._lines = lines
        self._name = name
        self._chance = chance
        self._lease = timedelta(seconds=gateway.settings.authority_timeout) + LEASE_MARGIN
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Something is due: look now."""
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way then is taken up again after its lease."""
        while True:
            self._bell.clear()
            if await self.work_once():
                continue
            try:
                await asyncio.wait_for(self._bell.wait(), POLL)
            except TimeoutError:
                continue

    async def drain(self) -> None:
        """Work until nothing is due."""
        while await self.work_once():
            pass

    async def work_once(self) -> int:
        """Run everything that is due now; how many rows that was."""
        ledger = self._gateway.ledger
        done = await asyncio.gather(
            self._each(ledger.claim_notices, self._notice),
            self._each(ledger.claim_submissions, self._submission),
            self._each(ledger.claim_link_backs, self._link_back),
        )
        return sum(done)

    async def _each(self, claim: Callable[..., Sequence[T]], work: Callable[[T], Awaitable[None]]) -> int:
        now = self._gateway.now()
        limit = self._gateway.settings.submissions_in_flight
        rows = await self._gateway.offload(
            claim, now=now, limit=limit, lease_until=now + self._lease, worker=self._name
        )
        await asyncio.gather(*(self._guarded(work, row) for row in rows))
        return len(rows)

    async def _guarded(self, work: Callable[[T], Awaitable[None]], row: T) -> None:
        try:
            await work(row)
        except GatewayError as error:
            log.warning("work_failed", work=work.__name__, error=str(error))
        except Exception:  # one bad row must not stop the others; its lease brings it back
            log.exception("work_broke", work=work.__name__)

    async def _notice(self, notice: DueNotice) -> None:
        await follow(self._gateway, self._lines, notice, self._wait(notice.attempts + 1))

    async def _submission(self, due: Due) -> None:
        verdict = await submit(self._gateway, self._lines, due, self._again)
        log.info("submitted", uuid=due.uuid, outcome=verdict.outcome.value, http=verdict.status)

    async def _link_back(self, due: DueLinkBack) -> None:
        await link_back(self._gateway, self._lines, due, self._wait(due.attempts + 1))

    def _again(self, attempt: int, verdict: Verdict) -> timedelta:
        asked = timedelta(seconds=verdict.retry_after or 0)
        return max(self._wait(attempt), min(asked, timedelta(hours=1)))

    def _wait(self, attempts: int) -> timedelta:
        return wait_after(attempts, chance=self._chance())
