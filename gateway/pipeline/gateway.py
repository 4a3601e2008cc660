"""All rooms of one installation, opened together and handed to every procedure."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import Final, ParamSpec, TypeVar

import httpx2

from gateway.archive import Store, open_store
from gateway.authority import BASE_URLS, Authority
from gateway.errors import Misconfigured, Unavailable
from gateway.keys import Safe, SealingKey, Stamper, master_key, open_keys, sealing_key
from gateway.ledger import Ledger
from gateway.outbound import client
from gateway.pipeline.clocks import Clocks
from gateway.pipeline.judges import Judges
from gateway.pipeline.seal import Sealer
from gateway.settings import Settings
from gateway.unit import Environment, Unit

BEGIN_SECONDS: Final = 5.0
"""How long work may wait until a thread begins it."""

END_SECONDS: Final = 60.0
"""How long a caller waits for its end: beyond every patience there is with a ledger that answers."""

P = ParamSpec("P")
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Gateway:
    """Ledger, keys and settings, with the clock and the source of ids. The network is opened by `online`.

    With `threads`, work that would wait too long for one of them is refused instead.
    """

    settings: Settings
    ledger: Ledger
    stamper: Stamper
    safe: Safe
    clocks: Clocks
    judges: Judges
    sealing_key: Callable[[], SealingKey]
    now: Callable[[], datetime] = field(default=_now)
    new_id: Callable[[], str] = field(default=_uuid)
    threads: Executor | None = None

    @cached_property
    def archive(self) -> Store:
        """Where final documents are archived; opened when it is first asked for, for issuing does not need it."""
        return open_store(self.settings)

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work (the ledger, mostly) beside the event loop.

        Unavailable if there are `threads`, and all of them had other work for too long: then it was not begun. Or it
        was, and does not end: then it may come to its end later.
        """
        if self.threads is None:
            return await asyncio.to_thread(work, *args, **kwargs)
        begun = self.threads.submit(copy_context().run, partial(work, *args, **kwargs))
        result = asyncio.wrap_future(begun)
        await asyncio.wait({result}, timeout=BEGIN_SECONDS)
        if not result.done() and begun.cancel():
            raise _overloaded()
        await asyncio.wait({result}, timeout=END_SECONDS)
        if not result.done():
            raise _stuck()
        return result.result()


def _overloaded() -> Unavailable:
    return Unavailable(
        "More is under way here than can be done now; nothing was done.",
        fix="Try again in a moment.",
        ar="الطلبات الجارية أكثر مما يمكن إنجازه الآن، ولم يُنفَّذ أي إجراء. أعد المحاولة بعد قليل.",
    )


def _stuck() -> Unavailable:
    return Unavailable(
        "The ledger does not come to an end with it; it may have been done by the time you ask again.",
        fix="Send the same again: what was done is not done twice.",
        ar="لم تستجب قاعدة البيانات في الوقت المحدد. أعد إرسال الطلب نفسه، فلن يُنفَّذ مرتين.",
        retry_after=30.0,
    )


@dataclass(frozen=True)
class Lines:
    """The open connections to the outside: the authority, and one client for shops and ERPs."""

    authority: Authority
    outside: httpx2.AsyncClient


@contextmanager
def open_gateway(
    settings: Settings,
    *,
    now: Callable[[], datetime] = _now,
    new_id: Callable[[], str] = _uuid,
    judges: int = 0,
) -> Iterator[Gateway]:
    """The gateway of these settings; Misconfigured says what keeps it from opening. Nothing is sent yet.

    `judges` is how many processes of its own prove documents; without any that is done where they are made.
    """
    if not __debug__:
        raise Misconfigured("Python was started with -O, which leaves out the last proofs before a document is kept.")
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    ledger = Ledger.open(settings.ledger_url)
    try:
        ledger.keep_journal(settings.journal_file)
        stamper, safe = open_keys(settings, ledger)
        seal_with = _sealing_key(settings, ledger, now)
        with Judges(judges) as at_work:
            gateway = Gateway(settings, ledger, stamper, safe, Clocks(ledger), at_work, seal_with, now, new_id)
            try:
                yield gateway
            finally:
                Sealer(gateway).finish()
    finally:
        ledger.close()


def _sealing_key(settings: Settings, ledger: Ledger, now: Callable[[], datetime]) -> Callable[[], SealingKey]:
    """The sealing key, opened when it is asked for first, and made then if there is none."""

    @cache
    def opened() -> SealingKey:
        return sealing_key(master_key(settings), ledger, now=now)

    return opened


def same_world(unit: Unit, environment: Environment) -> None:
    """Misconfigured if a unit belongs to another of the authority's environments: nothing may cross them."""
    if unit.environment is not environment:
        raise Misconfigured(
            f"Unit {unit.id} was onboarded in {unit.environment.value}, this gateway speaks to {environment.value}.",
            fix="Set GATEWAY_ENVIRONMENT back, or use another GATEWAY_HOME and onboard the unit there.",
        )


def authority_of(settings: Settings) -> str:
    """The authority's address: the one that is set, or the official one of the environment."""
    return settings.authority_url or BASE_URLS[settings.environment]


@asynccontextmanager
async def online(gateway: Gateway) -> AsyncIterator[Lines]:
    """Open the connections to the outside; they close with the block."""
    settings = gateway.settings
    async with (
        Authority(authority_of(settings), timeout=settings.authority_timeout) as authority,
        client(settings) as outside,
    ):
        yield Lines(authority, outside)
