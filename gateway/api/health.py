"""For operators: is it alive, can it work?"""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Served

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="The process is alive")
async def healthz() -> dict[str, str]:
    """Says nothing about what it depends on."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="The ledger and its journal can be written, the keys open, the worker works",
    responses={503: {"description": "Not ready, and which check says so"}},
)
async def readyz(request: Request, gateway: Served) -> Response:
    """503 with what is wrong if orders cannot be issued or submitted now."""
    checks = {
        "ledger": await gateway.offload(gateway.ledger.health),
        "journal": await gateway.offload(gateway.ledger.journal_health),
        "keys": await gateway.offload(gateway.stamper.health),
        "worker": _worker(request.app.state.work),
    }
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ok" if ready else "not ready", "checks": checks}, 200 if ready else 503)


def _worker(task: asyncio.Task[None] | None) -> str:
    """An API without a worker of its own has others for it."""
    return "stopped; start the gateway again" if task is not None and task.done() else "ok"
