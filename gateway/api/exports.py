"""For accountants and auditors: packages of documents to carry away."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Examiner, Remover, Served
from gateway.api.bodies import described, read_body
from gateway.api.openapi import problem_because
from gateway.issued import Status
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.export_jobs import ExportJobs, Package, State

router = APIRouter(tags=["exports"])

_CONFLICT: dict[int | str, dict[str, Any]] = {409: problem_because("Another package is being made, or it is not ready")}


class ExportAsked(BaseModel):
    """Which documents; what is left out does not narrow it."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[date | None, Field(alias="from", description="First day of issue (Riyadh)")] = None
    until: Annotated[date | None, Field(alias="to", description="Last day of issue (Riyadh)")] = None
    units: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)] = []
    status: Annotated[list[Status], Field(max_length=len(Status))] = []
    buyer: Annotated[str, Field(max_length=200, description="Part of the name, or the VAT number")] = ""


BODIES: Final = (ExportAsked,)
"""Of these routes; see gateway.api.bodies."""


def _jobs(request: Request) -> ExportJobs:
    jobs: ExportJobs = request.app.state.exports
    return jobs


@router.post(
    "/v1/exports",
    status_code=202,
    summary="Have a sealed package made",
    openapi_extra=described(ExportAsked),
    responses=_CONFLICT,
)
async def post_export(request: Request, gateway: Served, who: Examiner) -> dict[str, Any]:
    """Documents, answers, chains, audit log, certificates, an index and a verifier, in one sealed ZIP. Asked for the
    same again, one that was interrupted goes on."""
    asked = await read_body(request, ExportAsked)
    scope = Scope(asked.since, asked.until, tuple(asked.units), tuple(map(str, asked.status)), asked.buyer)
    made = await gateway.offload(_jobs(request).start, who.taxpayer_id, scope, actor=who.actor)
    return _shown(made)


@router.get("/v1/exports", summary="The packages there are")
async def list_exports(request: Request, gateway: Served, who: Examiner) -> dict[str, Any]:
    """Oldest first."""
    found = await gateway.offload(_jobs(request).packages, who.taxpayer_id)
    return {"items": [_shown(each) for each in found]}


@router.get("/v1/exports/{id}", summary="How a package stands")
async def get_export(id: str, request: Request, gateway: Served, who: Examiner) -> dict[str, Any]:  # noqa: A002
    """`making` with how many links are done, `ready`, or `interrupted` and why."""
    return _shown(await gateway.offload(_jobs(request).package, who.taxpayer_id, id))


@router.get(
    "/v1/exports/{id}/package",
    summary="The package itself",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}, **_CONFLICT},
)
async def get_package(id: str, request: Request, gateway: Served, who: Examiner) -> FileResponse:  # noqa: A002
    """The ZIP; `gateway verify` or the verify.py inside proves it."""
    file = await gateway.offload(_jobs(request).file, who.taxpayer_id, id)
    return FileResponse(file, media_type="application/zip", filename=f"{who.taxpayer_id}_{id}.zip")


@router.delete("/v1/exports/{id}", status_code=204, summary="Remove a package", responses=_CONFLICT)
async def delete_export(id: str, request: Request, gateway: Served, who: Remover) -> Response:  # noqa: A002
    """The documents stay where they are; another package can be made of them."""
    await gateway.offload(_jobs(request).delete, who.taxpayer_id, id, actor=who.actor)
    return Response(status_code=204)


def _shown(made: Package) -> dict[str, Any]:
    shown = {**made._asdict(), "state": made.state.value, "scope": dict(made.scope)}
    return shown | ({"package": f"/v1/exports/{made.id}/package"} if made.state is State.READY else {})
