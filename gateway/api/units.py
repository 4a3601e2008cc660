"""For operators: units are taken into operation, renewed and released, and seen as they stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.api.access import Caller, Operator, Overseer, Served
from gateway.api.bodies import described, read_body
from gateway.api.openapi import problem_because
from gateway.api.pages import page
from gateway.errors import Conflict, Forbidden, Unknown
from gateway.pipeline.connect import register
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.onboard import onboard
from gateway.pipeline.renew import renew
from gateway.pipeline.unit_status import certificate_json, release, unit_status
from gateway.unit_file import UnitFile, unit_of

router = APIRouter(tags=["units"])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: problem_because("The authority or a rule refuses it, an OTP is needed, or a shop issues itself"),
    403: problem_because("The key's role or taxpayer may not"),
    409: problem_because("Somebody is at work on this unit, or another run of its is open"),
    422: problem_because("The body is not what it has to be"),
    503: problem_because("No answer: the same call goes on where it stopped"),
}

Otp = Annotated[
    SecretStr | None,
    Field(max_length=20, description="One-time password of the authority's portal; not needed to go on with a run."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    otp: Otp = None
    restart: Annotated[bool, Field(description="Discard a run that is not finished, and begin anew.")] = False


class Onboarding(_Body):
    """A unit and its OTP."""

    unit: Annotated[UnitFile, Field(description="As in docs/guides/onboard.md.")]
    unchecked_issuer: Annotated[
        bool, Field(description="Go on although a shop cannot be asked whether it issues itself.")
    ] = False


class Renewal(_Body):
    """The OTP of a renewal."""


BODIES: Final = (Onboarding, Renewal)
"""Of these routes; see gateway.api.bodies."""


@router.post(
    "/v1/units",
    status_code=201,
    summary="Take a unit into operation",
    openapi_extra=described(Onboarding),
    responses=_ANSWERS,
)
async def post_unit(request: Request, gateway: Served, who: Operator) -> dict[str, Any]:
    """Takes some ten exchanges with the authority. A run that broke off goes on where it stopped when the call is
    repeated; a unit in operation is given a new certificate and chain."""
    body = await read_body(request, Onboarding)
    unit = unit_of(body.unit, gateway.settings.environment)
    if unit.taxpayer_id != who.taxpayer_id:
        raise Forbidden(
            f"This key belongs to taxpayer {who.taxpayer_id}, the unit to {unit.taxpayer_id}.",
            fix="Use a key of that taxpayer; a taxpayer's first unit is onboarded at the command line.",
        )
    with _alone(request, who, unit.id):
        await gateway.offload(register, gateway, unit, actor=who.actor)
        await onboard(
            gateway,
            _lines(request),
            unit,
            _secret(body.otp),
            _untold,
            restart=body.restart,
            unchecked_issuer=body.unchecked_issuer,
            actor=who.actor,
        )
    return await _shown(gateway, who, unit.id)


@router.get("/v1/units", summary="The units, their certificates and what needs attention")
async def get_units(gateway: Served, who: Overseer) -> dict[str, Any]:
    """`days_left` until the certificate ends; `warning` 90, 30 and 7 days before."""
    units = await gateway.offload(gateway.ledger.units, who.taxpayer_id)
    return {"items": [(await gateway.offload(unit_status, gateway, unit)).as_json() for unit in units]}


@router.post(
    "/v1/units/{unit_id}/renew",
    summary="Renew a unit's certificate",
    openapi_extra=described(Renewal),
    responses=_ANSWERS,
)
async def post_renewal(unit_id: str, request: Request, gateway: Served, who: Operator) -> dict[str, Any]:
    """The certificate in use works on until the new one is there. A run that broke off goes on where it stopped."""
    body = await read_body(request, Renewal)
    with _alone(request, who, unit_id):
        await renew(
            gateway,
            _lines(request),
            who.taxpayer_id,
            unit_id,
            _secret(body.otp),
            _untold,
            restart=body.restart,
            actor=who.actor,
        )
    return await _shown(gateway, who, unit_id)


@router.post("/v1/units/{unit_id}/release", summary="Let a held unit send again", responses={400: _ANSWERS[400]})
async def post_release(unit_id: str, request: Request, gateway: Served, who: Operator) -> dict[str, Any]:
    """Once the cause is mended for which the authority refused the unit's credentials (401)."""
    unit = await gateway.offload(gateway.ledger.unit, who.taxpayer_id, unit_id)
    await gateway.offload(release, gateway, unit, actor=who.actor)
    request.app.state.worker.ring()
    return await _shown(gateway, who, unit_id)


@router.get("/v1/units/{unit_id}/certificates", summary="Every certificate of a unit, and its chains")
async def get_certificates(unit_id: str, gateway: Served, who: Overseer) -> dict[str, Any]:
    """The certificates that its documents were stamped with (DER, base64), and the chains that they serve."""
    unit = await gateway.offload(gateway.ledger.unit, who.taxpayer_id, unit_id)
    csids = await gateway.offload(gateway.ledger.unit_csids, who.taxpayer_id, unit.id)
    chains = await gateway.offload(gateway.ledger.chains, who.taxpayer_id, unit.id)
    return {
        "items": [certificate_json(each) for each in csids],
        "chains": [
            {
                "id": each.id,
                "documents": each.head.icv - 1,
                "last_hash": each.head.pih,
                "sealed_at": each.sealed_at.isoformat() if each.sealed_at else None,
            }
            for each in chains
        ],
    }


@router.get("/v1/units/{unit_id}/chains/{chain_id}", summary="A chain, link by link")
async def get_chain(
    unit_id: str,
    chain_id: str,
    gateway: Served,
    who: Overseer,
    after: Annotated[int, Query(ge=0, le=2**62, description="The counter behind which to go on")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> dict[str, Any]:
    """Counter, previous hash and hash of each document, in order; `next` is the `after` of the following page."""
    unit = await gateway.offload(gateway.ledger.unit, who.taxpayer_id, unit_id)
    known = {each.id for each in await gateway.offload(gateway.ledger.chains, who.taxpayer_id, unit.id)}
    if chain_id not in known:
        raise Unknown(f"Unit {unit_id} has no chain {chain_id}.", fix="Its certificates are listed with its chains.")
    links = await gateway.offload(gateway.ledger.links, who.taxpayer_id, unit.id, chain_id, after=after, limit=limit)
    shown = (each._asdict() | {"status": each.status.value} for each in links)
    return page(shown, links[-1].icv if len(links) == limit else None)


async def _shown(gateway: Gateway, who: Caller, unit_id: str) -> dict[str, Any]:
    unit = await gateway.offload(gateway.ledger.unit, who.taxpayer_id, unit_id)
    return (await gateway.offload(unit_status, gateway, unit)).as_json()


def _lines(request: Request) -> Lines:
    lines: Lines = request.app.state.lines
    return lines


def _secret(otp: SecretStr | None) -> str | None:
    return otp.get_secret_value() if otp else None


def _untold(step: str) -> None:
    """Nobody waits for single steps here."""


@contextmanager
def _alone(request: Request, who: Caller, unit_id: str) -> Iterator[None]:
    """A caller that did not wait and asks again must not spoil the run that goes on for it."""
    at_work: set[tuple[str, str]] = request.app.state.onboarding
    name = (who.taxpayer_id, unit_id)
    if name in at_work:
        raise Conflict(
            f"Unit {unit_id} is being onboarded or renewed at this moment.",
            fix="Look at GET /v1/units what becomes of it.",
            ar=f"تجري عملية تسجيل أو تجديد للوحدة {unit_id} في هذه اللحظة.",
        )
    at_work.add(name)
    try:
        yield
    finally:
        at_work.discard(name)
