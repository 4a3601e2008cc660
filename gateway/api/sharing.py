"""For buyers, and for those who give them their documents: the PDF, and links that need no key."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Caller, May, Reader, Served, Sharer, requires
from gateway.api.openapi import problem_because
from gateway.errors import Unavailable
from gateway.invoice.facts import RIYADH
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.links import File, Named, follow, genuine, genuine_short, make_link, revoke_links
from gateway.pipeline.readable import Readable, readable

router = APIRouter(tags=["sharing"])

AT_ONCE: Final = 1
"""How many PDFs are made at a time in this process; typesetting takes a processor for itself."""
MOST_WAITING: Final = 100
"""How many may wait for that; a few lines take some 40 ms, so about four seconds."""

MOST_BY_LINKS: Final = 10
"""How many of these places the links to one taxpayer's documents may take: a link needs no key and passes from hand to
hand, so whoever follows one without end must leave the places of those with a key, and of others' links."""

_MEDIA_TYPES: Final = {File.PDF: "application/pdf", File.XML: "application/xml"}
_SHOWN: Final = {"application/pdf": "inline", "application/xml": "attachment"}
"""A browser shows a PDF. XML it would read, and follow whatever style sheet it names."""
_NOT_CLEARED: Final = problem_because("A standard document that is not cleared; buyers may not have it yet")


class Printing:
    """The queue for what takes a processor: so many at a time, so many waiting, and no more."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._inside = 0
        self._by_links: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, *, link_of: str = "") -> AsyncIterator[None]:
        """Wait for a place; Unavailable if too many do, or too many of them by links to documents of `link_of`."""
        too_many = link_of and self._by_links[link_of] >= MOST_BY_LINKS
        if too_many or self._inside >= AT_ONCE + MOST_WAITING:
            raise Unavailable(
                "Too many documents are being fetched at this moment.",
                retry_after=5,
                fix="Ask again in a few seconds.",
                ar="عدد كبير من المستندات يُطلب في هذه اللحظة. أعد المحاولة بعد ثوانٍ.",
            )
        self._inside += 1
        self._by_links[link_of] += 1
        try:
            async with self._free:
                yield
        finally:
            self._inside -= 1
            self._by_links[link_of] -= 1
            if not self._by_links[link_of]:
                del self._by_links[link_of]


def _printing(request: Request) -> Printing:
    printing: Printing = request.app.state.printing
    return printing


Queue = Annotated[Printing, Depends(_printing)]


def _file(given: Readable, media_type: str) -> Response:
    """The file under its name. The name has only letters, digits, dashes and underscores (gateway.file_name)."""
    headers = {
        "Content-Disposition": f'{_SHOWN[media_type]}; filename="{given.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if given.uncleared:
        headers["X-Gateway-Uncleared"] = "true"
    return Response(given.content, media_type=media_type, headers=headers)


@router.get(
    "/v1/invoices/{uuid}/pdf",
    summary="The document for people (PDF/A-3 with its XML inside)",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}, 409: _NOT_CLEARED},
)
async def get_pdf(uuid: str, gateway: Served, who: Reader, printing: Queue) -> Response:
    """In Arabic and English, in the looks of the unit; made of the XML that may be shared, and of nothing else."""
    async with printing.turn():
        given = await gateway.offload(
            readable, gateway, who.taxpayer_id, uuid, actor=who.actor, only_looks=who.only_looks
        )
    return _file(given, "application/pdf")


class LinkRequest(BaseModel):
    """Which file a link is to give, and for how many days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: File = File.PDF
    days: Annotated[int | None, Field(ge=1, description="GATEWAY_LINK_DAYS if left out.")] = None


@router.post(
    "/v1/invoices/{uuid}/links",
    status_code=201,
    summary="A link to the document for those without a key",
    responses={409: _NOT_CLEARED},
)
async def post_link(uuid: str, gateway: Served, who: Sharer, wanted: LinkRequest | None = None) -> dict[str, Any]:
    """Whoever has the address has the file until `expires_at`. Only of documents that a buyer may have."""
    wanted = wanted or LinkRequest()
    made = await gateway.offload(
        make_link, gateway, who.taxpayer_id, uuid, file=wanted.file, days=wanted.days, actor=who.actor
    )
    return {
        "url": made.url,
        "file": made.file.value,
        "expires_at": made.expires_at.astimezone(RIYADH).isoformat(),
    }


@router.delete("/v1/links", status_code=204, summary="Make every link that was given out worthless")
async def delete_links(gateway: Served, who: Annotated[Caller, Depends(requires(May.REVOKE_LINKS))]) -> Response:
    """At once and for good, of all documents of the taxpayer; links that are made afterwards work."""
    await gateway.offload(revoke_links, gateway, who.taxpayer_id, actor=who.actor)
    return Response(status_code=204)


@router.get(
    "/v1/shared/{ticket}/{name}",
    summary="What a link gives; needs no key",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}, "application/xml": {}}},
        404: problem_because("Never made, ended or taken back: the answer does not tell which"),
    },
)
async def get_shared(ticket: str, name: str, gateway: Served, printing: Queue) -> Response:
    """The file. The address is the permission, so it is written into no log, and nothing on the way may keep it."""
    return await _shared(gateway, printing, await gateway.offload(genuine, gateway, ticket, name))


@router.get(
    "/v1/shared/{code}",
    summary="What the link on a shop's order gives; needs no key",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}},
        404: problem_because("Never made, ended or taken back: the answer does not tell which"),
    },
)
async def get_shared_of_shop(code: str, gateway: Served, printing: Queue) -> Response:
    """The PDF, by a link that is short enough for a comment."""
    return await _shared(gateway, printing, await gateway.offload(genuine_short, gateway, code))


async def _shared(gateway: Gateway, printing: Printing, named: Named) -> Response:
    """What a genuine link gives; what is none takes no turn at printing."""
    async with printing.turn(link_of=named.taxpayer_id):
        given = await gateway.offload(follow, gateway, named)
    answer = _file(given, _MEDIA_TYPES[named.file])
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
