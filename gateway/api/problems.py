"""The one place that knows HTTP problems (RFC 9457): what an error of ours is to a caller."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import (
    BadInput,
    Conflict,
    DoesNotClose,
    Forbidden,
    GatewayError,
    Misconfigured,
    NotCleared,
    NotCompliant,
    NotStamped,
    Throttled,
    Unauthorised,
    Unavailable,
    Unknown,
    UnusableOrder,
)

log = structlog.get_logger()

# The first class that fits decides.
STATUS: Final[tuple[tuple[type[GatewayError], int, str], ...]] = (
    (UnusableOrder, 422, "The order cannot be used"),
    (DoesNotClose, 422, "The sums do not close"),
    (NotCompliant, 422, "The document would break official rules"),
    (BadInput, 400, "The request cannot be used"),
    (NotCleared, 409, "Not cleared yet"),
    (NotStamped, 409, "Not stamped yet"),
    (Conflict, 409, "In conflict with what is there"),
    (Unknown, 404, "Not found"),
    (Unauthorised, 401, "Who are you?"),
    (Forbidden, 403, "Not allowed"),
    (Throttled, 429, "Too much at once"),
    (Unavailable, 503, "Try again later"),
    (Misconfigured, 503, "Not ready"),
)

SHARED: Final = "/v1/shared/"
"""Where links lead (gateway.api.sharing)."""

_TITLES: Final = {400: "The request cannot be used", 404: "Not found", 405: "Method not allowed"}


class Problem(JSONResponse):
    """An answer of media type application/problem+json. It is of this moment: without a word some caches keep a 404 or
    405 (RFC 9110, 15.1), and with it the address, which of a link is the permission."""

    media_type = "application/problem+json"

    def __init__(self, status: int, title: str, *, headers: dict[str, str] | None = None, **members: Any) -> None:
        content = {"type": "about:blank", "title": title, "status": status}
        headers = {"Cache-Control": "no-store", **(headers or {})}
        super().__init__(content | {name: value for name, value in members.items() if value}, status, headers)


def problem_of(error: GatewayError) -> Problem:
    """The problem document for an error of ours."""
    status, title = next((status, title) for kind, status, title in STATUS if isinstance(error, kind))
    members: dict[str, Any] = {"detail": error.what, "fix": error.fix, "detail_ar": error.ar}
    headers: dict[str, str] = {}
    if isinstance(error, UnusableOrder):
        members["problems"] = [{"field": field, "message": sentence} for field, sentence in error.problems]
    if isinstance(error, NotCompliant):
        members["findings"] = [finding.as_json() for finding in error.findings]
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="gateway"'
    return Problem(status, title, headers=headers, **members)


def _without_ticket(path: str) -> str:
    """For the log: the address of a shared document is itself the permission to read it."""
    return SHARED if path.startswith(SHARED) else path


def install(app: FastAPI) -> None:
    """Make every failure of the app answer as a problem."""

    @app.exception_handler(GatewayError)
    async def ours(request: Request, error: GatewayError) -> Problem:
        problem = problem_of(error)
        if problem.status_code >= 500:
            log.warning(
                "request_failed", path=_without_ticket(request.url.path), status=problem.status_code, error=str(error)
            )
        return problem

    @app.exception_handler(RequestValidationError)
    async def parameters(_: Request, error: RequestValidationError) -> Problem:
        fields = [{"field": ".".join(map(str, each["loc"][1:])), "message": each["msg"]} for each in error.errors()]
        shown = "; ".join(f"{each['field'] or 'the body'}: {each['message']}" for each in fields)
        fix = "/openapi.json says what each of them may be."
        return Problem(422, "The parameters cannot be used", detail=shown, fix=fix, problems=fields)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Problem:
        title = _TITLES.get(error.status_code, str(error.detail))
        detail, fix = str(error.detail), ""
        if error.status_code in (404, 405):
            detail, fix = f"There is no {request.method} {_without_ticket(request.url.path)}.", "See /openapi.json."
        return Problem(error.status_code, title, detail=detail, fix=fix, headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, __: Exception) -> Problem:
        # The server logs it with its traceback; the caller learns nothing of the inside.
        return Problem(
            500,
            "Our mistake",
            detail="Something went wrong here that should not; nothing was half done.",
            fix="Send it again: the same order is never issued twice. If it stays so, the log says why.",
        )


class BodyLimit:
    """Refuses a request body over the limit before it is read into memory, whatever length it declares."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await self._refusal()(scope, receive, send)
            return
        await self._limited(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await self._refusal()(scope, receive, send)

    def _refusal(self) -> Problem:
        return Problem(
            413,
            "The body is too large",
            detail=f"At most {self._limit} bytes are read.",
            fix="Send one order at a time, without pictures or attachments.",
        )


class _TooLarge(Exception):
    """The body outgrew the limit while it was read."""
