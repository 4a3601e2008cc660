"""The authority's side of the wire: versions, credentials and bodies as HTTP, and the faults that were asked for."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from gateway.simulator.calls import CALLS, Asked, Call, Refused, Reply
from gateway.simulator.faults import Fault
from gateway.simulator.state import Exchange, State, World

MAX_BODY: Final = 5_000_000
"""Largest request read, in bytes."""

NOTICE: Final = "simulator; not the tax authority"


Fields = dict[str, Any] | None


class BrokenOff(Response):
    """An answer whose connection ends before it does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # A length is announced and never delivered: the server then closes the connection.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"validationResults":', "more_body": True})


def create_api(state: State) -> FastAPI:
    """The application that serves all three environments."""
    app = FastAPI(title="Simulator of the tax authority (not the authority)", openapi_url=None)
    for method, path, call in CALLS:
        app.add_api_route(
            f"/e-invoicing/{{world}}/{path}", _route(state, path, call), methods=[method], response_model=None
        )
    return app


def _route(state: State, path: str, call: Call) -> Callable[[str, Request], Awaitable[Response]]:
    async def answer(world: str, request: Request) -> Response:
        # Read before anything is waited for: a caller who gives up meanwhile has sent it all the same.
        fields = await _fields(request)
        fault = state.faults.next(path)
        delay = state.faults.latency + (fault.delay if fault else 0.0)
        if delay:
            await asyncio.sleep(delay)
        if fault and fault.spoils_answer and not fault.accept:
            return _recorded(state, path, fields, _faulty(fault))
        response = _dealt_with(state, world, request, fields, call)
        if fault and fault.spoils_answer:
            response = _faulty(fault)
        return _recorded(state, path, fields, response)

    return answer


def _dealt_with(state: State, world: str, request: Request, fields: Fields, call: Call) -> Response:
    if world not in list(World):
        return PlainTextResponse("Not Found", status_code=404)
    if request.headers.get("accept-version") != "V2":
        text = "This Version is not supported or not provided in the header."
        return PlainTextResponse(text, status_code=406)
    if fields is None:
        return HTMLResponse("<html><h1>413 Request Entity Too Large</h1></html>", status_code=413)
    reply = _replied(state, _asked(World(world), request, fields), call)
    response = JSONResponse(dict(reply.body), status_code=reply.status)
    response.headers["X-Simulator"] = NOTICE
    return response


def _replied(state: State, asked: Asked, call: Call) -> Reply:
    try:
        return call(state, asked)
    except Refused as refused:
        return refused.reply


async def _fields(request: Request) -> Fields:
    """The JSON object of a request; empty if it is anything else, None if there is too much of it."""
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY:
            return None
        body += chunk
    try:
        fields = json.loads(bytes(body))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


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
    except (binascii.Error, ValueError):
        return None
    return (token, secret) if colon else None


def _faulty(fault: Fault) -> Response:
    if fault.drop:
        return BrokenOff()
    assert fault.status is not None, "a fault that spoils an answer drops it or replaces it"
    is_json = fault.body.lstrip().startswith(("{", "["))
    headers = {"content-type": "application/json" if is_json else "text/html", **fault.headers}
    return Response(fault.body, status_code=fault.status, headers=headers)


def _recorded(state: State, path: str, fields: Fields, response: Response) -> Response:
    status = 0 if isinstance(response, BrokenOff) else response.status_code
    state.exchanges.append(Exchange(path, status, str((fields or {}).get("uuid", ""))))
    return response
