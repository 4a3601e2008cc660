"""Starting and stopping the simulator: two small web servers, for its API and for its management."""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import uvicorn
from fastapi import FastAPI

from gateway.listener import listen
from gateway.simulator.api import create_api
from gateway.simulator.faults import Faults
from gateway.simulator.management import create_management
from gateway.simulator.state import State, World
from gateway.unit import Environment

BANNER: Final = """\
******************************************************************************
*  THIS IS A SIMULATOR, NOT THE TAX AUTHORITY. Nothing it accepts is legal.  *
*  Its certificates are worthless outside it, and it forgets all at its end. *
******************************************************************************"""


@dataclass(frozen=True)
class Simulator:
    """The two applications and the state they share; both belong on one event loop."""

    api: FastAPI
    management: FastAPI
    state: State

    @property
    def faults(self) -> Faults:
        """What goes wrong, and when."""
        return self.state.faults


def _real_clock() -> datetime:
    return datetime.now(UTC)


def create(*, clock: Callable[[], datetime] = _real_clock, latency: float = 0.0) -> Simulator:
    """A simulator with a certification authority of its own; `latency` is in seconds, `clock` gives aware moments."""
    state = State(clock, Faults(latency=latency))
    return Simulator(create_api(state), create_management(state), state)


class Running:
    """A simulator that serves 127.0.0.1 from a background thread, used as a context manager.

    Port 0 takes a free one. Misconfigured if a given port is taken.
    """

    def __init__(self, simulator: Simulator | None = None, *, port: int = 0, management_port: int = 0) -> None:
        self.simulator = simulator or create()
        self._ports = port, management_port
        self._base = self.management_url = ""

    def url(self, environment: Environment) -> str:
        """The base URL an environment's client is given."""
        return f"{self._base}/e-invoicing/{World.of(environment)}"

    @property
    def state(self) -> State:
        return self.simulator.state

    @property
    def faults(self) -> Faults:
        return self.simulator.faults

    def __enter__(self) -> Self:
        sockets = _listen("127.0.0.1", *self._ports)
        self._base, self.management_url = (f"http://127.0.0.1:{s.getsockname()[1]}" for s in sockets)
        self._servers = _servers(self.simulator)
        serving = _serve_both(self._servers, sockets)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), name="simulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.should_exit = True
        self._thread.join(timeout=10)


def serve(host: str, port: int, management_port: int, *, latency: float = 0.0) -> None:
    """Serve until interrupted; Misconfigured if a port is taken."""
    simulator = create(latency=latency)
    sockets = _listen(host, port, management_port)
    print(_announcement(host, *(s.getsockname()[1] for s in sockets)), file=sys.stderr)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_both(_servers(simulator), sockets))


def _announcement(host: str, port: int, management_port: int) -> str:
    urls = "\n".join(f"  {e.value:<11} http://{host}:{port}/e-invoicing/{World.of(e)}" for e in Environment)
    return f"{BANNER}\n{urls}\n  management  http://{host}:{management_port}"


def _servers(simulator: Simulator) -> list[uvicorn.Server]:
    # A connection broken off on purpose is an error to uvicorn's log; only what stops the server is of interest.
    def server(app: FastAPI) -> uvicorn.Server:
        return uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )

    return [server(simulator.api), server(simulator.management)]


async def _serve_both(servers: list[uvicorn.Server], sockets: list[socket.socket]) -> None:
    """Both on one event loop, so that nothing needs a lock; when one ends, so does the other."""
    tasks = [asyncio.create_task(s.serve(sockets=[at])) for s, at in zip(servers, sockets, strict=True)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


def _listen(host: str, *ports: int) -> list[socket.socket]:
    """Open sockets, so that callers can connect before the servers have started."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(contextlib.closing(listen(host, port))) for port in ports]
        opened.pop_all()
        return sockets
