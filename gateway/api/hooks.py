"""For shops: webhooks, verified on their raw bytes, kept, and answered at once; the worker does the rest."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from fastapi import APIRouter, Request

from gateway.api.access import Served
from gateway.errors import Throttled, Unauthorised
from gateway.pipeline.intake import take_in

router = APIRouter(tags=["shops"])
log = structlog.get_logger()

MINUTE: Final = 60.0
STRIKES: Final = 30
"""Deliveries without the shop's proof that get an answer of their own in a minute, for each connection and caller."""
_CALLERS: Final = 10_000
"""How many callers are remembered; more than that at once is an attack that is cheapest to forget."""


class Strikes:
    """Who sent how many forged deliveries lately. What proves itself is never counted nor refused: behind a proxy, an
    attacker and the shop may look like one caller."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def strike(self, connection: str, caller: str) -> None:
        """One more; Throttled if this caller has had its share for the minute."""
        if len(self._counts) >= _CALLERS:
            self._counts.clear()
        now = self._clock()
        begun, count = self._counts.get((connection, caller), (now, 0))
        begun, count = (begun, count + 1) if begun + MINUTE > now else (now, 1)
        self._counts[connection, caller] = (begun, count)
        if count > STRIKES:
            raise Throttled("Too many deliveries without the shop's signature.", retry_after=begun + MINUTE - now)


@router.post("/v1/hooks/{connection}", summary="A shop says that an order changed")
async def post_hook(connection: str, request: Request, gateway: Served) -> dict[str, str]:
    """200 whether or not the delivery names an order: shops disable a webhook that is answered otherwise."""
    caller = request.client.host if request.client else ""
    strikes: Strikes = request.app.state.strikes
    body = await request.body()
    try:
        kept = await gateway.offload(take_in, gateway, connection, dict(request.headers), body)
    except Unauthorised:
        strikes.strike(connection, caller)
        log.warning("hook_refused", connection=connection, caller=caller, bytes=len(body))
        raise
    if kept:
        request.app.state.worker.ring()
    return {"status": "kept" if kept else "ignored"}
