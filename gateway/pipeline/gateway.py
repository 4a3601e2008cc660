"""All rooms of one installation, opened together and handed to every procedure."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import ParamSpec, TypeVar

import httpx2

from gateway.authority import BASE_URLS, Authority
from gateway.errors import Misconfigured
from gateway.keys import Safe, SealingKey, Stamper, master_key, open_keys, sealing_key
from gateway.ledger import Ledger
from gateway.outbound import client
from gateway.pipeline.clocks import Clocks
from gateway.pipeline.judges import Judges
from gateway.pipeline.seal import seal_at_the_end
from gateway.settings import Settings
from gateway.unit import Environment, Unit

P = ParamSpec("P")
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Gateway:
    """Ledger, keys and settings, with the clock and the source of ids. The network is opened by `online`."""

    settings: Settings
    ledger: Ledger
    stamper: Stamper
    safe: Safe
    clocks: Clocks
    judges: Judges
    sealing_key: Callable[[], SealingKey]
    now: Callable[[], datetime] = field(default=_now)
    new_id: Callable[[], str] = field(default=_uuid)

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work (the ledger, mostly) beside the event loop."""
        return await asyncio.to_thread(work, *args, **kwargs)


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
                seal_at_the_end(gateway)
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
