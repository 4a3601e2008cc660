"""The authority's side of the wire: versions, credentials and bodies as HTTP, and the faults that were asked for."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.simulator.calls import CALLS, NOT_REPEATABLE, Asked, Call, Refused
from gateway.simulator.catalogue import CLEARANCE, TOO_LARGE, VERSION, page, somebody_elses
from gateway.simulator.clearing import clear
from gateway.simulator.document import Document
from gateway.simulator.faults import Fault, Made, Reply, Scene
from gateway.simulator.state import Exchange, State, World
from gateway.simulator.wire import BrokenOff, Dressed, Reset

MAX_BODY: Final = 5_000_000
"""Largest request read, in bytes."""

ABOUT: Final = (
    "This is a simulator of the tax authority's e-invoicing platform. It is NOT the authority, and nothing it accepts "
    "is legal.\nBase addresses: /e-invoicing/developer-portal, /e-invoicing/simulation, /e-invoicing/core\n"
)


class Received(NamedTuple):
    """One request: where it went, the JSON object in its body, and the SHA-256 of that body in hex.

    `fields` are empty if the body is anything else, None if there is too much of it.
    """

    world: str
    path: str
    fields: dict[str, Any] | None
    digest: str

    def text(self, name: str) -> str:
        """A short text of the body; empty if there is none."""
        value = (self.fields or {}).get(name)
        # A text of JSON may hold half a surrogate, which no answer of the management port could be written with.
        return value[:100].encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def create_api(state: State) -> FastAPI:
    """The application that serves all three environments."""
    app = FastAPI(title="Simulator of the tax authority (not the authority)", openapi_url=None, redirect_slashes=False)
    for method, path, call in CALLS:
        app.add_api_route(
            f"/e-invoicing/{{world}}/{path}", _route(state, path, call), methods=[method], response_model=None
        )
    _add_public(app, state)
    app.add_middleware(Dressed, clock=state.now)
    return app


def _add_public(app: FastAPI, state: State) -> None:
    """What anyone may fetch: who this is, and what the addresses in certificates lead to."""

    @app.get("/", response_class=PlainTextResponse)
    async def about() -> str:
        return ABOUT

    @app.get("/crl")
    async def revocation_list() -> Response:
        return Response(state.revocation_list(), media_type="application/pkix-crl")

    @app.get("/ca.crt")
    async def ca() -> Response:
        return Response(state.ca.der, media_type="application/pkix-cert")


def _route(state: State, path: str, call: Call) -> Callable[[str, Request], Awaitable[Response]]:
    async def answer(world: str, request: Request) -> Response:
        # Read before anything is waited for: a caller who gives up meanwhile has sent it all the same.
        received = await _received(world, path, request)
        fault = state.faults.next(path, now=state.now(), is_repeatable=call not in NOT_REPEATABLE)
        loses_answer = fault is not None and fault.spoils_answer and fault.accept
        if not loses_answer:
            await _wait(state, fault)
        is_received = loses_answer or fault is None or not fault.spoils_answer
        right = _dealt_with(state, received, request, call) if is_received else None
        response = _response(right, _spoilt(state, path, fault, right) if fault else None)
        _record(state, received, response, fault)
        if loses_answer:
            await _wait(state, fault)
        if fault:
            _take_effect(state, received, response, fault)
        return response

    return answer


def _take_effect(state: State, received: Received, response: Response, fault: Fault) -> None:
    """What a fault changes besides its answer."""
    if response.status_code == 303 and received.path == CLEARANCE:
        state.send_away(received.world, received.text("invoiceHash"))
    if fault.refuse:
        state.shut(fault.refuse)


async def _wait(state: State, fault: Fault | None) -> None:
    delay = state.faults.latency + (fault.delay if fault else 0.0)
    if delay:
        await asyncio.sleep(delay)


def _spoilt(state: State, path: str, fault: Fault, right: Reply | Made | None) -> Response | None:
    """What comes instead of the right answer; None if that stands."""
    if fault.reset:
        return Reset()
    if fault.drop:
        return BrokenOff()
    if fault.make is not None:
        reply = right if isinstance(right, Reply) else None
        scene = Scene(path, state.now(), reply, lambda cleared: _foreign(state, cleared), fault.retry_after)
        made = fault.make(scene)
        return _wired(made) if made else None
    if fault.status is None:
        return None
    kind = "application/json" if fault.body.lstrip().startswith(("{", "[")) else "text/html"
    headers = {"content-type": kind} | {name.lower(): value for name, value in fault.headers.items()}
    return Response(fault.body, status_code=fault.status, headers=headers)


def _foreign(state: State, cleared: bytes) -> bytes:
    """A cleared document of somebody else, under the authority's own stamp."""
    return clear(Document.read(somebody_elses(cleared)), state.ca, state.now())


def _response(right: Reply | Made | None, spoilt: Response | None) -> Response:
    if spoilt is not None:
        return spoilt
    assert right is not None, "only a fault that spoils the answer keeps a call from being dealt with"
    return _wired(right) if isinstance(right, Made) else JSONResponse(dict(right.body), status_code=right.status)


def _wired(made: Made) -> Response:
    return Response(made.body, status_code=made.status, headers={"content-type": made.content_type, **made.headers})


def _dealt_with(state: State, received: Received, request: Request, call: Call) -> Reply | Made:
    if received.world not in list(World):
        return Made(404, "Not Found", "text/plain")
    if request.headers.get("accept-version") != "V2":
        return Made(406, VERSION, "text/plain;charset=UTF-8")
    if received.fields is None:
        return page(413, TOO_LARGE)
    try:
        return call(state, _asked(World(received.world), request, received.fields))
    except Refused as refused:
        return refused.reply


async def _received(world: str, path: str, request: Request) -> Received:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY:
            return Received(world[:20], path, None, "")
        body += chunk
    try:
        fields = json.loads(bytes(body))
    except (ValueError, RecursionError):
        fields = {}
    return Received(world[:20], path, fields if isinstance(fields, dict) else {}, hashlib.sha256(body).hexdigest())


def _asked(world: World, request: Request, fields: dict[str, Any]) -> Asked:
    return Asked(
        world=world,
        fields=fields,
        credentials=_basic(request.headers.get("authorization", "")),
        otp=request.headers.get("otp"),
        language=request.headers.get("accept-language", "en")[:2].lower(),
        clearance_status=request.headers.get("clearance-status", ""),
    )


def _basic(header: str) -> tuple[str, str] | None:
    """Name and password of Basic authentication."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        token, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        return None
    return (token, secret) if colon else None


def _record(state: State, received: Received, response: Response, fault: Fault | None) -> None:
    state.exchanges.append(
        Exchange(
            endpoint=received.path,
            status=0 if isinstance(response, BrokenOff) else response.status_code,
            uuid=received.text("uuid"),
            world=received.world,
            fault=fault.label if fault else "",
            at=state.now(),
            sent=received.digest,
        )
    )
