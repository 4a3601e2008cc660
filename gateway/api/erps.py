"""For operators and accountants: ERPs are connected, and what stands in their books, or waits, is told."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.api.access import Caller, Corrector, Operator, Overseer, Reader, Served
from gateway.api.bodies import described, read_body
from gateway.api.openapi import problem_because
from gateway.api.pages import page
from gateway.connection import Connection
from gateway.erps import ERPS
from gateway.ledger import PostingState
from gateway.pipeline.connect import connect
from gateway.pipeline.erps import erp_json, posting_json, standing_of
from gateway.pipeline.gateway import Gateway

router = APIRouter(tags=["erps"])

_PAGE: Final = 100
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: problem_because("The ERP issues itself, lacks a journal or a tax, or refuses the credentials"),
    409: problem_because("There is a connection of this name"),
    422: problem_because("The body is not what it has to be"),
    503: problem_because("The ERP does not answer"),
}
Number = Annotated[int, Path(ge=1, le=2**53)]
_Texts = dict[Annotated[str, Field(max_length=60)], Annotated[str, Field(max_length=1000)]]


class ErpConnection(BaseModel):
    """An ERP whose books are to be written."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    unit: Annotated[str, Field(min_length=1, max_length=64, description="The unit whose documents are posted.")]
    platform: Literal[tuple(sorted(ERPS))]  # type: ignore[valid-type]
    url: Annotated[str, Field(min_length=1, max_length=300)]
    settings: Annotated[_Texts, Field(max_length=100, description="As in docs/reference/erps.md.")] = {}
    secrets: Annotated[
        dict[Annotated[str, Field(max_length=60)], Annotated[SecretStr, Field(max_length=1000)]],
        Field(max_length=20, description="Sealed, and never shown again."),
    ] = {}
    change: Annotated[bool, Field(description="Replace the settings of a known one, and the secrets given.")] = False


class PostingDismissal(BaseModel):
    """Why the gateway is to post nothing for a document."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=3, max_length=1000, description="Kept in the audit log.")]


BODIES: Final = (ErpConnection, PostingDismissal)


@router.get("/v1/erps", summary="ERPs whose books are written")
async def get_erps(gateway: Served, who: Overseer) -> dict[str, Any]:
    """Settings, counts of postings, and a warning where a key is about to end."""
    found = await gateway.offload(standing_of, gateway, who.taxpayer_id)
    return {"items": [erp_json(each) for each in found]}


@router.post(
    "/v1/erps",
    status_code=201,
    summary="Connect an ERP, or change it",
    responses=_ANSWERS,
    openapi_extra=described(ErpConnection),
)
async def post_erp(request: Request, gateway: Served, who: Operator) -> dict[str, Any]:
    """It is asked who issues and what its settings are first; `look_at` is what a person has to see to there."""
    body = await read_body(request, ErpConnection)
    wanted = await gateway.offload(_connection, gateway, who, body)
    lines = request.app.state.lines
    made = await connect(gateway, lines, wanted, actor=who.actor, change=body.change)
    return {"connection": body.name, "look_at": [each._asdict() for each in made.look_at]}


def _connection(gateway: Gateway, who: Caller, body: ErpConnection) -> Connection:
    return Connection(
        id=body.name,
        taxpayer_id=who.taxpayer_id,
        unit_id=gateway.ledger.unit(who.taxpayer_id, body.unit).id,
        platform=body.platform,
        base_url=body.url,
        settings=body.settings,
        secrets={name: each.get_secret_value() for name, each in body.secrets.items()},
    )


@router.get("/v1/postings", summary="Documents in the books of ERPs, newest first")
async def get_postings(
    gateway: Served,
    who: Reader,
    state: Annotated[list[PostingState] | None, Query(description="May be repeated")] = None,
    connection: Annotated[str, Query(max_length=100)] = "",
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> dict[str, Any]:
    """How each stands, with the reason in both languages where it waits; `next` is the cursor of the following page."""
    found = await gateway.offload(
        gateway.ledger.postings,
        who.taxpayer_id,
        connection_id=connection,
        states=state or (),
        before=cursor,
        limit=_PAGE,
    )
    return page(map(posting_json, found), found[-1].id if len(found) == _PAGE else None)


@router.post("/v1/postings/{number}/retry", status_code=202, summary="Post it again")
async def post_posting_retry(number: Number, request: Request, gateway: Served, who: Corrector) -> dict[str, str]:
    """After it was mended in the ERP or in the connection's settings: what stands there is looked at first."""
    now = gateway.now()
    await gateway.offload(gateway.ledger.retry_posting, who.taxpayer_id, number, actor=who.actor, now=now)
    request.app.state.worker.ring()
    return {"status": "due"}


@router.post(
    "/v1/postings/{number}/dismissal",
    summary="Nothing is to be posted for it",
    openapi_extra=described(PostingDismissal),
)
async def post_posting_dismissal(number: Number, request: Request, gateway: Served, who: Corrector) -> dict[str, str]:
    """A person's decision, kept with its reason, such as for a sale that was entered in the ERP by hand."""
    decided, now = await read_body(request, PostingDismissal), gateway.now()
    await gateway.offload(
        gateway.ledger.dismiss_posting, who.taxpayer_id, number, reason=decided.reason, actor=who.actor, now=now
    )
    return {"status": "dismissed"}
