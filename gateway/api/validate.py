"""For everyone with a key: the verdict on a UBL document from anywhere. Nothing of it is kept."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime

from gateway.api.access import Caller, May, Served, requires
from gateway.api.openapi import problem_because
from gateway.rules import Report, check

router = APIRouter(tags=["rules"])

AT_ONCE: Final = 2
"""How many documents are judged at a time; the others wait, so that issuing does not."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/xml": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Turns:
    """Those who wait for their document to be judged."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)


@router.post(
    "/v1/validate",
    summary="The verdict on any UBL document",
    openapi_extra=_BODY,
    responses={400: problem_because("This is no XML that may be read")},
)
async def validate(
    request: Request,
    gateway: Served,
    who: Annotated[Caller, Depends(requires(May.VALIDATE))],
    as_of: Annotated[AwareDatetime | None, Query(description="The moment to judge by, with its zone.")] = None,
    pih: Annotated[str | None, Query(max_length=200, description="The previous hash it has to carry.")] = None,
) -> dict[str, Any]:
    """Schema, official rules, QR, signature and previous hash of the XML in the body, as `gateway validate` judges it.

    The answer is 200 whether the document is valid or not; `valid` says which.
    """
    xml = await request.body()
    turns: Turns = request.app.state.turns
    async with turns.free:
        report = await gateway.offload(_judged, xml, as_of or gateway.now(), pih)
    verdict = report.as_json("")
    del verdict["file"]
    return verdict


def _judged(xml: bytes, now: datetime, pih: str | None) -> Report:
    return check(xml, now=now, pih=pih)
