"""The status goes home: number, status, UUID, QR and a link to the PDF are written to the shop's order."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gateway import stores
from gateway.errors import GatewayError, Throttled, Unavailable
from gateway.ledger import DueLinkBack
from gateway.pipeline.credentials import ready
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.links import note_shops_link, shops_link

GIVE_UP_AFTER: Final = 50
"""Attempts; at the longest wait between them this is about four hours of a shop that keeps refusing."""


LONGEST_REPORT: Final = 150.0
"""Seconds for all exchanges about one document; after a worker's lease another would take over."""


async def link_back(gateway: Gateway, lines: Lines, due: DueLinkBack, again: timedelta) -> None:
    """Report one document to its shop and record the receipt, or when to try again."""
    error, receipt, next_at = "", "", None
    try:
        connection = await ready(gateway, lines, due.taxpayer_id, due.connection_id)
        issued = await gateway.offload(gateway.ledger.invoice, due.taxpayer_id, due.uuid)
        store = stores.store_of(connection.platform)
        pdf = await gateway.offload(shops_link, gateway, due.taxpayer_id, issued)
        shown = replace(issued, qr=issued.buyers_qr)
        async with asyncio.timeout(LONGEST_REPORT):
            receipt = await store.report(connection, lines.outside, issued.order_id, shown, pdf=pdf)
        if pdf:
            await gateway.offload(note_shops_link, gateway, due.taxpayer_id, issued)
    except TimeoutError:
        error, next_at = "The shop takes too long.", gateway.now() + again if due.attempts < GIVE_UP_AFTER else None
    except Unavailable as failure:
        error = str(failure)
        wait = max(again, timedelta(seconds=failure.retry_after)) if isinstance(failure, Throttled) else again
        next_at = gateway.now() + wait if due.attempts < GIVE_UP_AFTER else None
        if isinstance(failure, Throttled):
            await gateway.offload(gateway.ledger.leave_alone, due.connection_id, until=gateway.now() + wait)
    except GatewayError as failure:
        error = str(failure)
    await gateway.offload(
        gateway.ledger.end_link_back, due.id, error=error, receipt=receipt, next_at=next_at, now=gateway.now()
    )
