"""For operators: is it alive, can it work?"""

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Served
from gateway.ledger import LONG_UNSEALED, CheckpointFiles
from gateway.pipeline.doctor import last_result
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.seal import CHECKPOINTS_EVERY

LATE: Final = 2 * CHECKPOINTS_EVERY

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
    """503 with what is wrong if orders cannot be issued or submitted now; `notes` say what is wrong besides."""
    checks = {
        "ledger": await gateway.offload(gateway.ledger.health),
        "journal": await gateway.offload(gateway.ledger.journal_health),
        "keys": await gateway.offload(gateway.stamper.health),
        "worker": _worker(request.app.state.work),
    }
    ready = all(state == "ok" for state in checks.values())
    notes = await gateway.offload(_notes, gateway) if ready else {}
    content = {"status": "ok" if ready else "not ready", "checks": checks, "notes": notes}
    return JSONResponse(content, 200 if ready else 503)


def _notes(gateway: Gateway) -> dict[str, str]:
    """What an operator should see to, though orders are issued and submitted all the same."""
    now = gateway.now()
    notes = {}
    night = last_result(gateway.ledger)
    if night and night.errors:
        notes["books"] = f"{night.errors} things are wrong since the night of {night.night}: `gateway doctor --last`"
    since = gateway.ledger.audit_waiting().since
    if since and now - since > LONG_UNSEALED:
        notes["audit"] = f"the audit log is not sealed since {since:%Y-%m-%d %H:%M} UTC: see the log for `seal_failed`"
    written = CheckpointFiles(gateway.settings.checkpoints_folder).written_at()
    if written and now - written > LATE:
        notes["checkpoints"] = f"none since {written:%Y-%m-%d %H:%M} UTC: see the log for `checkpoint_failed`"
    return notes


def _worker(task: asyncio.Task[None] | None) -> str:
    """An API without a worker of its own has others for it."""
    return "stopped; start the gateway again" if task is not None and task.done() else "ok"
