"""The application that `serve` runs: routes, limits, problems, and the embedded worker."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

# Commands import these two when they need them. Here threads would, and Python 3.11 can fail when several begin to
# import the same at once (https://github.com/python/cpython/issues/87712).
import PIL.Image  # noqa: F401
import qrcode  # noqa: F401
from fastapi import FastAPI

from gateway import __version__
from gateway.api import (
    audit,
    deadlines,
    documents,
    erps,
    events,
    exports,
    health,
    hooks,
    invoices,
    metrics,
    notes,
    openapi,
    orders,
    problems,
    quarantine,
    reconciliation,
    sharing,
    units,
    validate,
    vat,
)
from gateway.pipeline.export_jobs import ExportJobs
from gateway.pipeline.gateway import Gateway, online
from gateway.worker import Worker

NAME = "serve"
"""The worker inside the API process where there is one such process."""

ROOMS: Final = (
    orders,
    documents,
    notes,
    invoices,
    sharing,
    deadlines,
    vat,
    reconciliation,
    events,
    audit,
    exports,
    validate,
    units,
    hooks,
    quarantine,
    erps,
    health,
    metrics,
)
"""Modules with routes, in the order in which the description and the reference show them."""

_DESCRIPTION = """Saudi e-invoicing for online shops. Send an order, get its legal document and what became of it.

Money is a decimal string. Errors are problem documents (RFC 9457) with a sentence on how to mend them.
"""


def create_app(gateway: Gateway, *, work: bool = True, nightly: bool = False) -> FastAPI:
    """The API over an open gateway; with `work`, due rows are worked on in the same process; with `nightly`, it sees
    that the books are examined every night."""

    # Orders have threads of their own: each waits there for its turn, and must keep nobody else from theirs.
    desks = ThreadPoolExecutor(gateway.settings.orders_at_once, "order")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with online(gateway) as lines:
            # Of an embedded ledger there is one `serve`: what the last one held nobody works on any more. On
            # PostgreSQL another may be at work, so leases are left to end by themselves.
            name = NAME if gateway.settings.is_embedded else f"{NAME}-{gateway.new_id()}"
            # What is due never waits behind requests: the worker has threads of its own.
            worker = Worker(replace(gateway, threads=None), lines, name=name, nightly=nightly)
            await gateway.offload(gateway.ledger.release_leases, name)
            app.state.worker = worker
            app.state.lines = lines
            app.state.work = asyncio.create_task(worker.run()) if work else None
            try:
                yield
            finally:
                await asyncio.to_thread(app.state.exports.stop)
                if app.state.work:
                    app.state.work.cancel()
                    with suppress(asyncio.CancelledError):
                        await app.state.work
                desks.shutdown(wait=False)

    app = FastAPI(
        title="gateway",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the caller claims
        responses=openapi.PROBLEMS,
    )
    app.state.gateway = gateway
    app.state.turns = validate.Turns()
    app.state.printing = sharing.Printing()
    app.state.metrics = metrics.Kept()
    app.state.exports = ExportJobs(gateway)
    app.state.desks = replace(gateway, threads=desks)
    app.state.onboarding = set()  # units at this moment
    app.state.strikes = hooks.Strikes()
    problems.install(app)
    app.add_middleware(problems.BodyLimit, limit=gateway.settings.max_body)
    for room in ROOMS:
        app.include_router(room.router)
    openapi.complete(app, *units.BODIES, *exports.BODIES, *events.BODIES, *quarantine.BODIES, *erps.BODIES)
    return app
