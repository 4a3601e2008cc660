"""Below HTTP's answers: what every answer carries, answers that break off, and a door that is shut for a while."""

import asyncio
import socket
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from fastapi.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

NOTICE: Final = "simulator; not the tax authority"

TRANSPORT: Final = "simulator.transport"
"""Where a request's scope holds the connection it came by."""


class Protocol(H11Protocol):
    """HTTP/1.1 whose requests know their connection, so that it can be reset."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def known(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), TRANSPORT: transport}
            await app(scope, receive, send)

        self.app = known


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once with a RST: what is under way is lost."""
    held = transport.get_extra_info("socket")
    if held is not None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Dressed:
    """An application whose answers all say what they come from, and the time by the simulator's own clock."""

    def __init__(self, app: Any, clock: Callable[[], datetime]) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def dressed(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                date = format_datetime(self._clock().astimezone(UTC), usegmt=True).encode("ascii")
                own = ((b"date", date), (b"x-simulator", NOTICE.encode("ascii")))
                message["headers"] = [*message["headers"], *(pair for pair in own if pair[0] not in given)]
            await send(message)

        await self._app(scope, receive, dressed)


class BrokenOff(Response):
    """An answer whose connection ends before it does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # A length is announced and never delivered: the server then closes the connection.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"validationResults":', "more_body": True})


class Reset(BrokenOff):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        transport = scope.get("extensions", {}).get(TRANSPORT)
        if transport is None:  # called without a server, as in a test of the application alone
            await super().__call__(scope, receive, send)
            return
        reset(transport)
