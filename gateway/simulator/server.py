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
from typing import Any, Final, Self

import uvicorn
from fastapi import FastAPI

from gateway.listener import listen
from gateway.simulator.api import create_api
from gateway.simulator.door import Door
from gateway.simulator.faults import Faults
from gateway.simulator.management import create_management
from gateway.simulator.state import State, World
from gateway.simulator.strict import Strict
from gateway.simulator.wire import Protocol
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


def create(
    *, clock: Callable[[], datetime] = _real_clock, latency: float = 0.0, strict: Strict | None = None
) -> Simulator:
    """A simulator with a certification authority of its own.

    `latency` is in seconds, `clock` gives aware moments; with `strict`, faults come by chance.
    """
    state = State(clock, Faults(latency=latency, strict=strict))
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
        sockets = _listen(*(("127.0.0.1", port) for port in self._ports))
        self._base, self.management_url = (f"http://127.0.0.1:{s.getsockname()[1]}" for s in sockets)
        self.state.ca.address = self._base
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


@dataclass(frozen=True)
class Place:
    """Where a simulator is served: host and port of its API and of its management, each on request only elsewhere.

    `url` is how others reach the API, for the addresses in certificates; `names` are those the management answers
    to besides addresses and localhost.
    """

    host: str = "127.0.0.1"
    port: int = 8100
    management_host: str = "127.0.0.1"
    management_port: int = 8101
    url: str = ""
    names: tuple[str, ...] = ()


def serve(place: Place, simulator: Simulator | None = None) -> None:
    """Serve until interrupted; Misconfigured if a port is taken."""
    simulator = simulator or create()
    sockets = _listen((place.host, place.port), (place.management_host, place.management_port))
    ports = [each.getsockname()[1] for each in sockets]
    simulator.state.ca.address = place.url.rstrip("/") or f"http://{_reached(place.host)}:{ports[0]}"
    simulator.state.names |= {name.lower() for name in (place.management_host, *place.names)}
    print(_announcement(simulator, place, ports), file=sys.stderr)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_both(_servers(simulator), sockets))


def _reached(host: str) -> str:
    """How a server on this host is called from this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"[{name}]" if ":" in name else name


def _announcement(simulator: Simulator, place: Place, ports: list[int]) -> str:
    base = simulator.state.ca.address
    lines = [f"  {e.value:<11} {base}/e-invoicing/{World.of(e)}" for e in Environment]
    lines.append(f"  management  http://{_reached(place.management_host)}:{ports[1]}")
    if simulator.faults.strict:
        shown = simulator.faults.strict.shown()
        lines.append(f"  strict clients: {shown['rate']:.0%} of all calls go wrong, seed {shown['seed']}")
    return "\n".join((BANNER, *lines))


def _servers(simulator: Simulator) -> list[uvicorn.Server]:
    # A connection broken off on purpose is an error to uvicorn's log; only what stops the server is of interest.
    def server(app: FastAPI, **more: Any) -> uvicorn.Server:
        return uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=1,
                **more,
            )
        )

    # The API's answers carry a Date of their own, by the simulator's clock.
    api = server(simulator.api, http=Protocol, date_header=False)
    simulator.state.on_shut = Door(api).shut
    return [api, server(simulator.management)]


async def _serve_both(servers: list[uvicorn.Server], sockets: list[socket.socket]) -> None:
    """Both on one event loop, so that nothing needs a lock; when one ends, so does the other."""
    tasks = [asyncio.create_task(s.serve(sockets=[at])) for s, at in zip(servers, sockets, strict=True)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


def _listen(*places: tuple[str, int]) -> list[socket.socket]:
    """Open sockets, so that callers can connect before the servers have started."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(contextlib.closing(listen(host, port))) for host, port in places]
        opened.pop_all()
        return sockets
