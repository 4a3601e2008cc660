"""The simulator's second door: look at what it took in, and say what happens next. The real authority has none."""

import base64
import json
import secrets
from datetime import timedelta
from typing import Annotated, Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.simulator.catalogue import CATALOGUE, SURVIVABLE, Named, named
from gateway.simulator.faults import MAX_DELAY, MAX_QUEUED, Fault
from gateway.simulator.guard import Guard
from gateway.simulator.overnight import MAX_RULES, MAX_XPATH, Level, Switch
from gateway.simulator.state import Accepted, Csid, State, World
from gateway.simulator.strict import Strict

MAX_PAGE = 10_000
"""Most documents or calls in one answer."""

_MAX_SHIFT = 100 * 366 * 86_400.0
_NO_MOMENT = "the clock goes from the year 2000 to 2199"
_FREE_FORM = frozenset({"status", "body", "headers", "drop", "reset", "accept"})

_Seconds = Annotated[float, Field(ge=0, le=MAX_DELAY)]
_Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
_Endpoint = Annotated[str, Field(max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class FaultBody(_Body):
    """Fields of a Fault; with a `name` of the catalogue only those that say when, how often and how late."""

    name: Annotated[str, Field(max_length=100)] = ""
    status: int | None = None
    body: Annotated[str, Field(max_length=5_000_000)] = ""
    headers: dict[str, str] = {}
    delay: _Seconds = 0.0
    drop: bool = False
    reset: bool = False
    refuse: _Seconds = 0.0
    accept: bool = False
    endpoint: _Endpoint = ""
    times: Annotated[int, Field(ge=1, le=MAX_QUEUED)] = 1
    retry_after: int = 7
    until: AwareDatetime | None = None

    def fault(self) -> Fault:
        """ValueError if it cannot be."""
        given = {field: getattr(self, field) for field in self.model_fields_set - {"name"}}
        if not self.name:
            return Fault(**given)
        if wrong := sorted(set(given) & _FREE_FORM):
            raise ValueError(f"a named fault has its own {', '.join(wrong)}")
        return named(self.name, **given)


class StrictBody(_Body):
    """Fields of Strict."""

    seed: int = 1
    rate: Annotated[float, Field(ge=0, le=1)] = 0.3
    faults: Annotated[tuple[str, ...], Field(max_length=200)] = SURVIVABLE
    endpoints: Annotated[frozenset[_Endpoint], Field(max_length=20)] = frozenset()
    delay: _Seconds = 0.01
    stall: _Seconds = 0.05
    retry_after: int = 0


class ClockBody(_Body):
    """`now` stops the clock at a moment, `advance` (seconds) stops it that much later, `offset` lets it run so many
    seconds before or behind the real one; none of them lets it run with the real one again.
    """

    now: AwareDatetime | None = None
    advance: Annotated[float, Field(ge=-_MAX_SHIFT, le=_MAX_SHIFT)] | None = None
    offset: Annotated[float, Field(ge=-_MAX_SHIFT, le=_MAX_SHIFT)] | None = None


class RuleBody(_Body):
    """A rule of the book by its id, or a made-up one with an XPath."""

    id: Annotated[str, Field(max_length=60)]
    severity: Level = Level.ERROR
    xpath: Annotated[str, Field(max_length=MAX_XPATH)] = ""
    message: Annotated[str, Field(max_length=1000)] = ""


class SwitchBody(_Body):
    """On or off."""

    on: bool


class RenewalBody(_Body):
    """Whether a renewal is granted at once (200), or the long way by a compliance CSID (428)."""

    direct: bool


class SecondsBody(_Body):
    """A length of time."""

    seconds: _Seconds


class CsidBody(_Body):
    """A certificate by its request id."""

    csid: Annotated[int | str, Field(union_mode="left_to_right")]


class OtpBody(_Body):
    """An OTP to be accepted once within the hour; six digits, made up if not given."""

    world: World
    otp: Annotated[str, Field(pattern="^[0-9]{6}$")] | None = None


def create_management(state: State) -> FastAPI:
    """The application of the management port."""
    app = FastAPI(title="Management of the simulator (not the authority)", docs_url=None, redoc_url=None)
    _add_views(app, state)
    _add_faults(app, state)
    _add_switches(app, state)
    _add_portal(app, state)
    app.add_route("/", _about)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_middleware(Guard, names=state.names)
    return app


async def _about(request: Request) -> Response:
    """For whoever opens the address that the start has printed: what can be called here."""
    routes = (route for route in request.app.routes if isinstance(route, APIRoute))
    calls = [
        f"  {' '.join(route.methods or ()):<6} {route.path:<11} {route.description.split('. ')[0]}" for route in routes
    ]
    lines = ("Management of the simulator (NOT the authority). Bodies are JSON.", *calls, "Schemas: /openapi.json", "")
    return PlainTextResponse("\n".join(lines))


async def _refused(request: Request, error: Exception) -> Response:
    """What is wrong with a body, without the body itself: not all that JSON can say can be said again."""
    assert isinstance(error, RequestValidationError), "it is registered for these"
    told = [{"loc": [str(part) for part in each["loc"]], "msg": each["msg"]} for each in error.errors()]
    text = json.dumps({"detail": told}, ensure_ascii=True)
    return Response(text, status_code=422, media_type="application/json")


def _add_views(app: FastAPI, state: State) -> None:
    @app.get("/documents")
    async def documents(
        response: Response, uuid: str = "", offset: Annotated[int, Query(ge=0)] = 0, limit: _Limit = MAX_PAGE
    ) -> list[dict[str, Any]]:
        """Every accepted document, once each, in the order it was first taken in."""
        found = [each for each in state.accepted if uuid in ("", each.uuid)]
        response.headers["X-Total-Count"] = str(len(found))
        return [_shown(document) for document in found[offset : offset + limit]]

    @app.get("/exchanges")
    async def exchanges(limit: _Limit = MAX_PAGE) -> list[dict[str, Any]]:
        """The last calls and their answers."""
        return [exchange._asdict() for exchange in list(state.exchanges)[-limit:]]

    @app.get("/csids")
    async def csids() -> list[dict[str, Any]]:
        """Every certificate that was issued."""
        return [_certificate(csid) for csid in state.csids.values()]

    @app.get("/ca.pem", response_class=PlainTextResponse)
    async def ca() -> str:
        """The certificate all others hang from, new at every start."""
        return state.ca.certificate.public_bytes(Encoding.PEM).decode("ascii")

    @app.get("/state")
    async def show() -> dict[str, Any]:
        """Clock, switches and what is queued."""
        return {
            "now": state.now().isoformat(),
            "clearance_on": state.clearance_on,
            "renewal_is_direct": state.renewal_is_direct,
            "is_canned": state.is_canned,
            "latency": state.faults.latency,
            "documents": len(state.accepted),
            "strict": state.faults.strict.shown() if state.faults.strict else None,
            "rules": [switch.shown() for switch in state.rules.values()],
            "faults": [fault.shown() for fault in state.faults.queue[:MAX_PAGE]],
        }


def _shown(document: Accepted) -> dict[str, Any]:
    return {
        "world": document.world,
        "uuid": document.uuid,
        "hash": document.hash,
        "icv": document.icv,
        "csid": str(document.csid),
        "endpoint": document.endpoint,
        "status": document.status,
        "at": document.at.isoformat(),
        "xml": base64.b64encode(document.xml).decode("ascii"),
        "cleared": base64.b64encode(document.cleared).decode("ascii") if document.cleared else None,
    }


def _certificate(csid: Csid) -> dict[str, Any]:
    """A certificate without what opens anything."""
    return {
        "csid": str(csid.request_id),
        "world": csid.world,
        "kind": "compliance" if csid.is_compliance else "production",
        "subject": csid.certificate.subject.rfc4514_string(),
        "vat": csid.request.vat,
        "serial": str(csid.certificate.serial_number),
        "not_after": csid.certificate.not_valid_after_utc.isoformat(),
        "revoked_at": csid.revoked_at.isoformat() if csid.revoked_at else None,
        "steps": sorted(csid.passed),
    }


def _add_faults(app: FastAPI, state: State) -> None:
    @app.get("/faults")
    async def faults() -> dict[str, Any]:
        """Every named fault, and what is queued."""
        queued = [fault.shown() for fault in state.faults.queue[:MAX_PAGE]]
        return {"catalogue": [_entry(row) for row in CATALOGUE.values()], "queued": queued}

    @app.post("/faults", status_code=204)
    async def add_fault(body: FaultBody) -> None:
        """Queue what goes wrong next."""
        try:
            state.faults.add(body.fault())
        except ValueError as error:
            raise _unusable(error) from None

    @app.delete("/faults", status_code=204)
    async def drop_faults() -> None:
        state.faults.queue.clear()

    @app.post("/strict", status_code=204)
    async def set_strict(body: StrictBody) -> None:
        """Faults by chance."""
        try:
            state.faults.strict = Strict(**dict(body))
        except ValueError as error:
            raise _unusable(error) from None

    @app.delete("/strict", status_code=204)
    async def end_strict() -> None:
        state.faults.strict = None

    @app.post("/latency", status_code=204)
    async def set_latency(body: SecondsBody) -> None:
        state.faults.latency = body.seconds

    @app.post("/refuse", status_code=204)
    async def refuse(body: SecondsBody) -> None:
        """Shut the API's port for a while."""
        state.shut(body.seconds)


def _entry(row: Named) -> dict[str, Any]:
    return {
        "name": row.name,
        "meaning": row.meaning,
        "endpoints": sorted(row.fault.paths),
        "survivable": row.is_survivable,
    }


def _unusable(error: ValueError) -> HTTPException:
    return HTTPException(422, str(error))


def _add_switches(app: FastAPI, state: State) -> None:
    @app.post("/clock", status_code=204)
    async def set_clock(body: ClockBody) -> None:
        """Stop the clock somewhere, or let it run."""
        try:
            later = state.now() + timedelta(seconds=body.advance) if body.advance is not None else body.now
            state.set_clock(later, timedelta(seconds=body.offset or 0))
        except (ValueError, OverflowError):
            raise HTTPException(422, _NO_MOMENT) from None

    @app.post("/clearance", status_code=204)
    async def set_clearance(body: SwitchBody) -> None:
        state.clearance_on = body.on

    @app.post("/renewal", status_code=204)
    async def set_renewal(body: RenewalBody) -> None:
        state.renewal_is_direct = body.direct

    @app.post("/canned", status_code=204)
    async def set_canned(body: SwitchBody) -> None:
        state.is_canned = body.on

    @app.post("/rules", status_code=204)
    async def set_rule(body: RuleBody) -> None:
        """Switch a rule."""
        try:
            switch = Switch(body.id, body.severity, xpath=body.xpath, message=body.message)
        except ValueError as error:
            raise _unusable(error) from None
        if len(state.rules) >= MAX_RULES and body.id not in state.rules:
            raise HTTPException(422, f"at most {MAX_RULES} rules are switched")
        state.rules[body.id] = switch

    @app.post("/reset", status_code=204)
    async def reset() -> None:
        """Forget certificates, chains and documents."""
        state.reset()


def _add_portal(app: FastAPI, state: State) -> None:
    @app.post("/otps")
    async def add_otp(body: OtpBody) -> dict[str, str]:
        """What the portal does when a taxpayer asks for an OTP."""
        otp = body.otp or f"{secrets.randbelow(1_000_000):06d}"
        state.add_otp(body.world, otp)
        return {"otp": otp}

    @app.post("/revoke", status_code=204)
    async def revoke(body: CsidBody) -> None:
        """What the portal does when a taxpayer revokes a CSID."""
        if not state.revoke(str(body.csid)):
            raise HTTPException(404, "no certificate has this request id; GET /csids lists them")
