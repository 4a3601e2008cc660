"""For shops: webhooks, verified on their raw bytes, kept, and answered at once; the worker does the rest."""

from fastapi import APIRouter, Request

from gateway.api.access import Served
from gateway.pipeline.intake import take_in

router = APIRouter(tags=["shops"])


@router.post("/v1/hooks/{connection}", summary="A shop says that an order changed")
async def post_hook(connection: str, request: Request, gateway: Served) -> dict[str, str]:
    """200 whether or not the delivery names an order: shops disable a webhook that is answered otherwise."""
    body = await request.body()
    kept = await gateway.offload(take_in, gateway, connection, dict(request.headers), body)
    if kept:
        request.app.state.worker.ring()
    return {"status": "kept" if kept else "ignored"}
