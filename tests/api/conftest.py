"""The API as `gateway serve` runs it: on a port, with its worker, against the running authority."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
import structlog
import uvicorn

from gateway.api.app import create_app
from gateway.issued import Status
from gateway.ledger import Filter
from gateway.pipeline.api_keys import Role, add_key
from tests.installation import OWNER, UNIT, order


@contextmanager
def serving(gateway, **more) -> Iterator[str]:
    """The address of the API over an open gateway."""
    app = create_app(gateway, **more)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0), backlog=256) as door:
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the API does not start"
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


class Api:
    """A caller with one key; `get`, `post` and `put` give the answer as httpx does."""

    def __init__(self, url, gateway, key):
        self.url, self.gateway, self.ledger = url, gateway, gateway.ledger
        self.authorization = f"Bearer {key}" if key else ""
        headers = {"Authorization": self.authorization} if key else {}
        self._client = httpx2.Client(base_url=url, timeout=30, headers=headers)
        self.get, self.post, self.request = self._client.get, self._client.post, self._client.request

    def as_role(self, role, taxpayer=OWNER):
        return self.with_key(add_key(self.gateway, taxpayer, Role(role), "", actor="tests"))

    def with_key(self, key):
        return Api(self.url, self.gateway, key)

    def order(self, number, headers=None, **more):
        return self.post("/v1/orders", content=json.dumps(order(number, **more)), headers=headers)

    def issue(self, number, **more):
        """The document of a good order."""
        answer = self.order(number, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def settled(self, uuid):
        """The document once the authority has said something final of it."""
        return wait_for(lambda: self.get(f"/v1/invoices/{uuid}").json(), lambda it: Status(it["status"]).is_final)

    def documents(self):
        return self.ledger.invoices(OWNER, Filter(), limit=200).items

    def position(self):
        """What an order consumes: the head of the chain, and the documents there are."""
        return self.ledger.chain(OWNER, UNIT.id).head, len(self.documents())


def wait_for(look, is_good, seconds=20):
    """What `look` shows as soon as it is good."""
    until = time.monotonic() + seconds
    while not is_good(seen := look()):
        assert time.monotonic() < until, seen
        time.sleep(0.01)
    return seen


@pytest.fixture
def api(installation, gateway) -> Iterator[Api]:
    """The API, called with an integrator's key."""
    with structlog.testing.capture_logs(), serving(gateway) as url:
        yield Api(url, gateway, installation.key)


@pytest.fixture
def quiet(installation, gateway) -> Iterator[Api]:
    """The API without a worker: documents stay as they were issued."""
    with serving(gateway, work=False) as url:
        yield Api(url, gateway, installation.key)


def problem(answer, status):
    """The problem that an answer is, once it has all that every problem has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    return content
