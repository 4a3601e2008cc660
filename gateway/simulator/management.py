"""The simulator's second door: look at what it took in, and say what happens next. The real authority has none."""

import base64
import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.simulator.faults import MAX_DELAY, Fault
from gateway.simulator.state import Accepted, State, World


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FaultBody(_Body):
    """Fields of a Fault."""

    status: int | None = None
    body: Annotated[str, Field(max_length=5_000_000)] = ""
    headers: dict[str, str] = {}
    delay: float = 0.0
    drop: bool = False
    accept: bool = False
    endpoint: str = ""
    times: int = 1


class ClockBody(_Body):
    """`now` stops the clock at a moment, `advance` (seconds) stops it that much later; neither lets it run again."""

    now: AwareDatetime | None = None
    advance: float | None = None


class ClearanceBody(_Body):
    """Whether standard documents are cleared, or sent away with a 303."""

    on: bool


class LatencyBody(_Body):
    """Seconds before every answer."""

    seconds: Annotated[float, Field(ge=0, le=MAX_DELAY)]


class OtpBody(_Body):
    """An OTP to be accepted once within the hour; six digits, made up if not given."""

    world: World
    otp: Annotated[str, Field(pattern="^[0-9]{6}$")] | None = None


def create_management(state: State) -> FastAPI:
    """The application of the management port."""
    app = FastAPI(title="Management of the simulator (not the authority)", docs_url=None, redoc_url=None)
    _add_views(app, state)
    _add_orders(app, state)
    return app


def _add_views(app: FastAPI, state: State) -> None:
    @app.get("/documents")
    async def documents() -> list[dict[str, Any]]:
        """Every accepted document, once each, in the order it was first taken in."""
        return [_shown(document) for document in state.accepted]

    @app.get("/exchanges")
    async def exchanges() -> list[dict[str, Any]]:
        """Every call and its answer."""
        return [exchange._asdict() for exchange in state.exchanges]

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
            "latency": state.faults.latency,
            "documents": len(state.accepted),
            "faults": [asdict(fault) | {"headers": dict(fault.headers)} for fault in state.faults.queue],
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


def _add_orders(app: FastAPI, state: State) -> None:
    @app.post("/faults", status_code=204)
    async def add_fault(body: FaultBody) -> None:
        """Queue what goes wrong next."""
        try:
            state.faults.add(Fault(**body.model_dump()))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    @app.post("/latency", status_code=204)
    async def set_latency(body: LatencyBody) -> None:
        state.faults.latency = body.seconds

    @app.post("/clock", status_code=204)
    async def set_clock(body: ClockBody) -> None:
        """Stop the clock somewhere, or let it run."""
        state.frozen_at = state.now() + timedelta(seconds=body.advance) if body.advance is not None else body.now

    @app.post("/clearance", status_code=204)
    async def set_clearance(body: ClearanceBody) -> None:
        state.clearance_on = body.on

    @app.post("/otps")
    async def add_otp(body: OtpBody) -> dict[str, str]:
        """What the portal does when a taxpayer asks for an OTP."""
        otp = body.otp or f"{secrets.randbelow(1_000_000):06d}"
        state.add_otp(body.world, otp)
        return {"otp": otp}

    @app.post("/reset", status_code=204)
    async def reset() -> None:
        """Forget certificates, chains and documents."""
        state.reset()
