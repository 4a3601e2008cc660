"""For operators: is it alive, can it work?"""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Served

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="The process is alive")
async def healthz() -> dict[str, str]:
    """Says nothing about what it depends on."""
    return {"status": "ok"}


@router.get("/readyz", summary="The ledger answers and the keys open")
async def readyz(gateway: Served) -> Response:
    """503 with what is wrong if orders cannot be issued now."""
    checks: dict[str, Any] = {
        "ledger": await gateway.offload(_ledger, gateway),
        "keys": await gateway.offload(gateway.stamper.health),
    }
    ready = all(state == "ok" for state in checks.values())
    return JSONResponse({"status": "ok" if ready else "not ready", "checks": checks}, 200 if ready else 503)


def _ledger(gateway: Served) -> str:
    gateway.ledger.taxpayers()
    return "ok"
