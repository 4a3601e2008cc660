"""An installation and its authority in one thread, in virtual time: nothing happens but by a call, in the same order
every time.

The authority is asked without a network, and what blocks is not handed to other threads. So a run is a function of
what is done to it, and one that failed can be had again.
"""

import asyncio
import dataclasses
import random
import shutil
import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import httpx2

from gateway.authority import Authority
from gateway.connection import Connection
from gateway.order import read_order
from gateway.pipeline import revocation
from gateway.pipeline.connect import add_connection, register
from gateway.pipeline.gateway import Gateway, Lines, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.pipeline.onboard import onboard
from gateway.settings import Settings
from gateway.simulator import Faults
from gateway.simulator.api import create_api
from gateway.simulator.state import State
from gateway.worker import Worker
from tests.installation import CONNECTION, OWNER, UNIT

BASE = "http://127.0.0.1:9"
BEGIN = datetime(2026, 12, 30, 9, 0, tzinfo=UTC)
OTP = "123456"
SECOND = dataclasses.replace(
    UNIT, id="JED1", number_prefix="JED1-", common_name="JED1", serial="1-gateway|2-1.0|3-jed", invoice_types="1100"
)
UNITS = {each.id: each for each in (UNIT, SECOND)}
CONNECTIONS = (CONNECTION, "till")


class Clock:
    """Virtual time: `true` is the authority's, and ours is `skew` ahead of it."""

    def __init__(self, begin=BEGIN):
        self.at, self.skew = begin, timedelta()

    def __call__(self):
        return self.at + self.skew

    def true(self):
        return self.at


class Killed(BaseException):
    """The process ends here."""


class InThread(Gateway):
    """A gateway that does all its work where it is asked to."""

    async def offload(self, work, *args, **kwargs):
        return work(*args, **kwargs)


class Wire(httpx2.AsyncBaseTransport):
    """HTTP to an application in the same process; an answer that ends early is a broken connection."""

    def __init__(self, app):
        self._app = app

    async def handle_async_request(self, request):
        body, messages = await request.aread(), []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            messages.append(message)

        await self._app(_scope(request), receive, send)
        start, *parts = messages
        if not parts or parts[-1].get("more_body"):
            raise httpx2.RemoteProtocolError("the connection was broken off", request=request)
        content = b"".join(part.get("body", b"") for part in parts)
        return httpx2.Response(start["status"], headers=start["headers"], content=content, request=request)


def _scope(request):
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw], "scheme": "http",
        "path": request.url.path, "raw_path": request.url.raw_path.split(b"?")[0], "query_string": request.url.query,
        "server": ("127.0.0.1", 9), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip


class Direct(Authority):
    """The client, with the simulator at the other end of its wire; `meddle` may do something around each sending."""

    def __init__(self, app, **more):
        super().__init__(f"{BASE}/e-invoicing/developer-portal", **more)
        self._app, self.meddle = app, None

    async def __aenter__(self):
        self._client = httpx2.AsyncClient(transport=Wire(self._app))
        return self

    async def send(self, dispatch, credentials):
        if self.meddle is None:
            return await super().send(dispatch, credentials)
        return await self.meddle(lambda: super(Direct, self).send(dispatch, credentials))


class World:
    """What a run does things to. `killed_at` counts down to the moment at which a worker dies."""

    def __init__(self, gateway, state, clock):
        self.gateway, self.state, self.clock, self.ledger = gateway, state, clock, gateway.ledger
        self._app = create_api(state)
        self._runner = asyncio.Runner()
        self.authority = self.run(Direct(self._app, timeout=30.0).__aenter__())
        self.lines = Lines(self.authority, httpx2.AsyncClient(transport=Wire(self._app)))
        self._workers = 0

    def run(self, coroutine):
        """To its end; what it leaves running when it dies is gone with it."""
        try:
            return self._runner.run(coroutine)
        except Killed:
            self._runner.run(_end_others())
            raise

    def issue(self, order, *, key=None):
        return issue(self.gateway, Request(OWNER, "tests", read_order(order), key))

    def drain(self):
        """A new worker does what is due at this moment, until nothing is."""
        self.run(self.worker().drain())

    def worker(self):
        self._workers += 1
        return Worker(self.gateway, self.lines, name=f"worker-{self._workers}", chance=lambda: 0.5)

    def onboard(self, unit, **more):
        self.run(onboard(self.gateway, self.lines, unit, OTP, tell=lambda step: None, **more))

    def heads(self):
        """Where all chains stand: nothing was consumed if they stay."""
        return [self.ledger.chains(OWNER, unit) for unit in UNITS]

    def list_client(self, **_):
        return httpx2.AsyncClient(transport=Wire(self._app))

    def close(self):
        self._runner.run(self.lines.outside.aclose())
        self._runner.run(self.authority.__aexit__(None, None, None))
        self._runner.close()


async def _end_others():
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def opened(home, *, state=None, clock=None, seed=1, **settings):
    """A world that lives in `home`, with a new authority or one that goes on."""
    clock, series = clock or Clock(), random.Random(seed)
    state = state or new_state(clock)
    url = f"{BASE}/e-invoicing/developer-portal"
    chosen = Settings.given(home=home, authority_url=url, **{"submissions_in_flight": 4, **settings})
    with ExitStack() as stack:
        new_id = lambda: str(uuid.UUID(int=series.getrandbits(128), version=4))  # noqa: E731
        plain = stack.enter_context(open_gateway(chosen, now=clock, new_id=new_id))
        world = World(InThread(**vars(plain)), state, clock)
        stack.callback(world.close)
        stack.enter_context(patch.object(revocation, "list_client", world.list_client))
        yield world


def new_state(clock):
    state = State(clock.true, Faults())
    state.ca.address = BASE
    return state


class Template:
    """Both units onboarded, both connections open, once; every run goes on from a copy."""

    def __init__(self, home):
        self._home, self._clock = home, Clock()
        self._state = new_state(self._clock)
        with opened(home, state=self._state, clock=self._clock) as world:
            for unit in UNITS.values():
                register(world.gateway, unit, actor="tests")
                world.onboard(unit)
            for name in CONNECTIONS:
                add_connection(world.gateway, Connection(name, OWNER, UNIT.id, "api"), actor="tests")

    @contextmanager
    def copy(self, home, **settings):
        """A world of its own in `home`, which is gone afterwards."""
        shutil.copytree(self._home, home)
        clock = Clock()
        state = new_state(clock)
        state.ca, state._next_request_id = self._state.ca, self._state._next_request_id
        for key, csid in self._state.csids.items():
            state.csids[key] = dataclasses.replace(csid, chain={}, passed=set(csid.passed))
        state.used_requests |= self._state.used_requests
        try:
            with opened(home, state=state, clock=clock, seed=2, **settings) as world:
                yield world
        finally:
            shutil.rmtree(home)
