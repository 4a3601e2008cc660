"""Who may speak to the management port: it asks for no password, so web pages must not reach it through a browser.

A page of a stranger can have its own name resolve to this machine (DNS rebinding), or simply send requests across.
The first shows in the Host header, the second in Origin.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Container
from typing import Any, Final

from fastapi.responses import PlainTextResponse

_REFUSED = (
    "The simulator's management port answers to its address, to localhost and to names given with --allow-name only.\n"
)

Receive = Callable[[], Awaitable[Any]]

MAX_BODY: Final = 10_000_000
"""Largest request read, in bytes."""
_TOO_LARGE = f"A request to the management port has at most {MAX_BODY} bytes.\n"


class Guard:
    """An application that refuses requests for other names, or from web pages of other places, with a 403, and those
    that are too large with a 413."""

    def __init__(self, app: Any, names: Container[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name: value.decode("latin-1").lower() for name, value in scope.get("headers", [])}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        is_own_page = origin is None or origin in (f"http://{host}", f"https://{host}")
        if scope["type"] == "http" and not (is_own_page and self._is_ours(host)):
            await PlainTextResponse(_REFUSED, status_code=403)(scope, receive, send)
            return
        body = await _read(receive) if scope["type"] == "http" else b""
        if body is None:
            await PlainTextResponse(_TOO_LARGE, status_code=413)(scope, receive, send)
            return
        await self._app(scope, _first(body, receive), send)

    def _is_ours(self, host: str) -> bool:
        """Whether the host is an address, which cannot be rebound, or one of our names."""
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost" or name in self._names
        return True


async def _read(receive: Receive) -> bytes | None:
    """The body of a request; None if it is too large, or its sender went away."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)
    return None


def _first(body: bytes, receive: Receive) -> Receive:
    """The body that was read, and then whatever else there is."""
    left = [body]

    async def again() -> Any:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
