"""The API's listening port, which can be shut for a while: connections are then refused, as when a service is down."""

import asyncio
import functools
import socket

import uvicorn

from gateway.listener import BACKLOG
from gateway.simulator.wire import Protocol, reset


class Door:
    """Shuts and opens a uvicorn server's port, on the server's own event loop."""

    def __init__(self, server: uvicorn.Server) -> None:
        self._server = server
        self._held: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def shut(self, seconds: float) -> None:
        """Reset every connection and refuse new ones; shut again meanwhile, the seconds begin anew."""
        if self._timer is not None:
            self._timer.cancel()
        if self._held is None:
            self._held = self._close()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._open_soon)

    def _close(self) -> socket.socket:
        """The port, bound so that nobody else takes it, and not listening."""
        (server,) = self._server.servers
        ours = server.sockets[0]
        family, address = ours.family, ours.getsockname()
        server.close()
        self._server.servers.clear()
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, Protocol):
                reset(connection.transport)
        held = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        return held

    def _open_soon(self) -> None:
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        held, self._held, self._timer = self._held, None, None
        if held is None or self._server.should_exit:
            return
        make = functools.partial(
            Protocol,
            config=self._server.config,
            server_state=self._server.server_state,
            app_state=self._server.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        self._server.servers.append(await loop.create_server(make, sock=held, backlog=BACKLOG))
