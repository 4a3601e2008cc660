"""Runs what is due: shop hints, submissions, link-backs, postings to ERPs, looks at shops, archiving. The only place
that decides about retries.

The ledger's rows are the truth: whoever claims a row holds a lease on it, and a worker that dies is taken over when
the lease ends. A bell only shortens the wait. The kinds of work run side by side, so that a slow shop never
holds up the authority.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar

import structlog

from gateway.errors import GatewayError
from gateway.issued import Issued, Status
from gateway.ledger import (
    Delivery,
    Due,
    DueArchiving,
    DueLinkBack,
    DueNotice,
    DuePoll,
    DuePosting,
    DueStamp,
    Limits,
)
from gateway.pipeline.archive import archive, forget_payloads
from gateway.pipeline.deadlines import raise_alarms
from gateway.pipeline.doctor import examine_tonight
from gateway.pipeline.erps import watch_keys
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.intake import follow
from gateway.pipeline.link_back import link_back
from gateway.pipeline.poll import poll
from gateway.pipeline.postings import post
from gateway.pipeline.seal import Sealer
from gateway.pipeline.stamping import follow_stamp
from gateway.pipeline.submit import LONGEST_ASKED, Retry, submit
from gateway.pipeline.validity import watch_certificates
from gateway.pipeline.webhooks import deliver, make_deliveries
from gateway.verdict import Verdict

log = structlog.get_logger()
T = TypeVar("T")

POLL: Final = 0.5
"""Seconds between looks at the ledger when no bell rings."""
ORDERS_FIRST: Final = 1.0
"""Seconds between looks for documents to send while orders come in one after the other: who sends an order waits for
its document, and reports have a day. What somebody waits for goes at once."""
LULL: Final = 0.05
"""Seconds without an order after which reports go on."""
LEASE_MARGIN: Final = timedelta(seconds=15)
"""How much longer than the authority's timeout a submission is held: time for the ledger's own writes."""
STAMP_LEASE: Final = timedelta(minutes=2)
"""Longer than any signer is waited for."""
SHOP_LEASE: Final = timedelta(minutes=5)
"""Longer than the exchanges that one procedure with a shop may take."""
DEADLINES_EVERY: Final = 60.0
"""Seconds between two looks for documents that are not reported yet."""
CERTIFICATES_EVERY: Final = 600.0
"""Seconds between two looks at the certificates; their lists of revocation are fetched far more seldom."""
FORGET_EVERY: Final = 3600.0
"""Seconds between two looks for payloads whose time is over."""
ARCHIVE_LEASE: Final = timedelta(minutes=5)
"""Longer than a slow store takes for one document's files."""
SEALS_EVERY: Final = 2.0
"""Seconds between two looks for entries of the audit log that wait for their seal."""
DELIVERY_LEASE: Final = timedelta(minutes=1)
"""Longer than a receiver of webhooks is waited for."""
EVENTS_EVERY: Final = 2.0
"""Seconds between two looks for events that webhooks have not seen."""
NIGHT_EVERY: Final = 60.0
"""Seconds between two looks whether the books are to be examined now."""
LONGEST_WAIT: Final = timedelta(minutes=5)


def wait_after(attempts: int, *, chance: float) -> timedelta:
    """Exponential, from one second to five minutes, spread by `chance` (0 to 1) so that many do not come at once."""
    seconds = min(2.0 ** min(attempts - 1, 20), LONGEST_WAIT.total_seconds())
    return timedelta(seconds=seconds * (0.5 + chance / 2))


class _Kind(Generic[T]):
    """One kind of work: how rows are claimed, for how long, and what is done with one."""

    def __init__(
        self, claim: Callable[..., Sequence[T]], work: Callable[[T], Awaitable[None]], lease: timedelta
    ) -> None:
        self.claim = claim
        self.work = work
        self.lease = lease
        self.bell = asyncio.Event()
        self.running: set[asyncio.Task[None]] = set()


class Worker:
    """Takes due rows and runs their procedures, many at a time; `nightly`, it sees that the books are examined, too."""

    def __init__(
        self,
        gateway: Gateway,
        lines: Lines,
        *,
        name: str,
        nightly: bool = False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._gateway = gateway
        self._lines = lines
        self._name = name
        self._nightly = nightly
        self._chance = chance
        self._limit = gateway.settings.submissions_in_flight
        self._made_at = -math.inf
        self._awaited = asyncio.Event()
        self._sealer = Sealer(gateway)
        self._retry = Retry(self._again, self._pause_of_line)
        exchange = timedelta(seconds=gateway.settings.authority_timeout) + LEASE_MARGIN
        ledger = gateway.ledger
        limits = Limits(self._limit, gateway.settings.submissions_of_taxpayer)
        self._submissions = _Kind(partial(ledger.claim_submissions, limits=limits), self._submission, exchange)
        self._link_backs = _Kind(ledger.claim_link_backs, self._link_back, SHOP_LEASE)
        self._postings = _Kind(ledger.claim_postings, self._posting, SHOP_LEASE)
        self._stampings = _Kind(ledger.claim_stampings, self._stamping, STAMP_LEASE)
        self._notices = _Kind(ledger.claim_notices, self._notice, SHOP_LEASE)
        polls = _Kind(ledger.claim_polls, self._poll, SHOP_LEASE)
        self._archiving = _Kind(ledger.claim_archiving, self._archive, ARCHIVE_LEASE)
        self._deliveries = _Kind(ledger.claim_deliveries, self._deliver, DELIVERY_LEASE)
        self._kinds: tuple[_Kind[Any], ...] = (
            self._submissions,
            self._stampings,
            self._notices,
            self._link_backs,
            self._postings,
            polls,
            self._archiving,
            self._deliveries,
        )

    def ring(self) -> None:
        """Something is due: look now."""
        for kind in self._kinds:
            kind.bell.set()

    def ring_for(self, issued: Issued, *, awaited: bool) -> None:
        """A document was made: look for what is to be done with it, at once if its verdict is `awaited`."""
        if issued.status is Status.UNSTAMPED:
            self._stampings.bell.set()
        elif awaited:
            self._awaited.set()
        else:
            self._made_at = time.monotonic()
        self._submissions.bell.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way then is taken up again after its lease."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._regularly(DEADLINES_EVERY, self._watch_deadlines))
            group.create_task(self._regularly(CERTIFICATES_EVERY, self._watch_certificates))
            group.create_task(self._regularly(FORGET_EVERY, self._forget_payloads))
            group.create_task(self._regularly(SEALS_EVERY, self._seal))
            group.create_task(self._regularly(EVENTS_EVERY, self._make_deliveries))
            if self._nightly:
                group.create_task(self._regularly(NIGHT_EVERY, self._examine))
            for kind in self._kinds:
                group.create_task(self._run(kind))

    async def _watch_deadlines(self) -> None:
        await self._gateway.offload(raise_alarms, self._gateway)

    async def _watch_certificates(self) -> None:
        await watch_certificates(self._gateway)
        await self._gateway.offload(watch_keys, self._gateway)

    async def _forget_payloads(self) -> None:
        await self._gateway.offload(forget_payloads, self._gateway)

    async def _examine(self) -> None:
        await examine_tonight(self._gateway, worker=self._name)

    async def _seal(self) -> None:
        await self._gateway.offload(self._sealer.look)

    async def _make_deliveries(self) -> None:
        if await self._gateway.offload(make_deliveries, self._gateway):
            self._deliveries.bell.set()

    async def _regularly(self, every: float, look: Callable[[], Awaitable[None]]) -> None:
        """What nobody asks about in time, looked at by itself."""
        while True:
            try:
                await look()
            except GatewayError as error:
                log.warning("watch_failed", look=look.__name__, error=str(error))
            except Exception:  # a watch that ended for one bad row would be missed when it is needed
                log.exception("watch_broke", look=look.__name__)
            await asyncio.sleep(every)

    async def drain(self) -> None:
        """Work until nothing is due."""
        while any([await self._fill(kind) for kind in self._kinds]):
            await asyncio.gather(*(task for kind in self._kinds for task in kind.running))

    async def _run(self, kind: _Kind[Any]) -> None:
        try:
            while True:
                kind.bell.clear()
                await self._look(kind)
                await self._pause(kind)
                if kind is self._submissions:
                    await self._let_orders_pass()
        finally:
            for task in kind.running:
                task.cancel()
            await asyncio.gather(*kind.running, return_exceptions=True)

    async def _look(self, kind: _Kind[Any]) -> None:
        try:
            await self._fill(kind)
        except GatewayError as error:
            # A busy ledger or a full disk passes; a worker that ended for it would miss every deadline after.
            log.warning("claim_failed", work=kind.work.__name__, error=str(error))
        except Exception:  # nor for what nobody thought of
            log.exception("claim_broke", work=kind.work.__name__)

    async def _pause(self, kind: _Kind[Any]) -> None:
        """Until a row is finished, the bell rings, or it is time to look again."""
        bell = asyncio.create_task(kind.bell.wait())
        try:
            await asyncio.wait({bell, *kind.running}, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bell.cancel()

    async def _let_orders_pass(self) -> None:
        """Until none came for a moment, a verdict is waited for, or it has been long enough."""
        end = time.monotonic() + ORDERS_FIRST
        while not self._awaited.is_set() and (rest := min(end, self._made_at + LULL) - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._awaited.wait(), rest)
        self._awaited.clear()

    async def _fill(self, kind: _Kind[Any]) -> int:
        """Claim as many rows as there is room for and begin to work on them; how many those are."""
        kind.running = {task for task in kind.running if not task.done()}
        room = self._limit - len(kind.running)
        if not room:
            return 0
        now = self._gateway.now()
        rows = await self._gateway.offload(
            kind.claim, now=now, limit=room, lease_until=now + kind.lease, worker=self._name
        )
        kind.running |= {asyncio.create_task(self._guarded(kind.work, row)) for row in rows}
        return len(rows)

    async def _guarded(self, work: Callable[[Any], Awaitable[None]], row: Any) -> None:
        try:
            await work(row)
        except GatewayError as error:
            log.warning("work_failed", work=work.__name__, error=str(error))
        except Exception:  # one bad row must not stop the others; its lease brings it back
            log.exception("work_broke", work=work.__name__)

    async def _notice(self, notice: DueNotice) -> None:
        await follow(self._gateway, self._lines, notice, self._wait(notice.attempts + 1))
        self._submissions.bell.set()

    async def _submission(self, due: Due) -> None:
        verdict = await submit(self._gateway, self._lines, due, self._retry)
        # Why an answer decides nothing stands nowhere else: an operator finds it here, beside the raw attempt.
        doubt = {"detail": verdict.detail} if verdict.detail else {}
        log.info("submitted", uuid=due.uuid, outcome=verdict.outcome.value, http=verdict.status, **doubt)
        self._link_backs.bell.set()
        self._postings.bell.set()
        self._archiving.bell.set()

    async def _stamping(self, due: DueStamp) -> None:
        if await self._gateway.offload(follow_stamp, self._gateway, due, self._wait(due.attempts + 1)):
            self._submissions.bell.set()

    async def _link_back(self, due: DueLinkBack) -> None:
        await link_back(self._gateway, self._lines, due, self._wait(due.attempts + 1))

    async def _posting(self, due: DuePosting) -> None:
        await post(self._gateway, self._lines, due, self._wait(due.attempts + 1))

    async def _archive(self, due: DueArchiving) -> None:
        await archive(self._gateway, due, self._wait(due.attempts + 1))

    async def _deliver(self, due: Delivery) -> None:
        await deliver(self._gateway, self._lines, due)

    async def _poll(self, due: DuePoll) -> None:
        if await poll(self._gateway, self._lines, due, self._wait(due.attempts + 1)):
            self._notices.bell.set()

    def _again(self, attempt: int, verdict: Verdict) -> timedelta:
        asked = timedelta(seconds=verdict.retry_after or 0)
        return max(self._wait(attempt), min(asked, LONGEST_ASKED))

    def _pause_of_line(self, opened: int) -> timedelta:
        return wait_after(opened + 3, chance=self._chance())

    def _wait(self, attempts: int) -> timedelta:
        return wait_after(attempts, chance=self._chance())
