"""SIGKILL at any moment: `serve` is killed while orders come in, started again, and nothing is lost or doubled."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from gateway.chain import walk
from gateway.issued import Status
from gateway.ledger import Filter, Ledger
from gateway.simulator import Running
from tests.installation import OWNER, UNIT, installed, order

PATIENCE = 240.0


class Server:
    """`gateway serve` as a process that can be killed and started again."""

    def __init__(self, settings):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)
        self._environment = {
            **os.environ,
            "GATEWAY_HOME": str(settings.home),
            "GATEWAY_AUTHORITY_URL": settings.authority_url,
            "GATEWAY_PORT": str(self.port),
        }
        self.start()

    def start(self):
        command = [sys.executable, "-m", "gateway", "serve"]
        self._process = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def is_ready(self):
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False


def send_until_acknowledged(server, key, number, until):
    """What a careful ERP does: the same order with the same key, until there is an answer."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"key-{number}"}
    while time.monotonic() < until:
        try:
            answer = server.client.post("/v1/orders", json=order(number), headers=headers)
        except httpx2.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code in (200, 201):
            return answer.json()
        assert answer.status_code == 503, answer.text
        time.sleep(0.1)
    raise AssertionError(f"order {number} was never acknowledged")


def killing(server, kills, orders, chance, acknowledged):
    """Kill and restart, each time somewhere in the life of a server: while it starts, issues or submits."""
    for turn in range(kills):
        target = orders * turn // kills
        while len(acknowledged) < target:
            time.sleep(0.01)
        if turn % 2:
            while not server.is_ready():
                time.sleep(0.05)
        time.sleep(chance.uniform(0, 1.0))
        server.kill()
        server.start()


def all_final(ledger, orders):
    counts = ledger.counts(OWNER)
    return sum(counts.get(status, 0) for status in (Status.CLEARED, Status.REPORTED)) == orders


@pytest.mark.parametrize(("kills", "orders"), [(6, 90), pytest.param(60, 200, marks=pytest.mark.torture)])
def test_orders_survive_sigkill(tmp_path, kills, orders):
    with Running() as authority:
        settings, key = installed(tmp_path, authority)
        server, acknowledged = Server(settings), []
        until = time.monotonic() + PATIENCE + kills * 4
        killer = threading.Thread(target=killing, args=(server, kills, orders, random.Random(kills), acknowledged))
        killer.start()
        try:
            with ThreadPoolExecutor(8) as clients:
                for answer in clients.map(
                    lambda number: send_until_acknowledged(server, key, number, until), range(1, orders + 1)
                ):
                    acknowledged.append(answer)
            killer.join(timeout=PATIENCE)
            with Ledger.open(settings.ledger_url) as ledger:
                while not all_final(ledger, orders) and time.monotonic() < until:
                    time.sleep(0.2)
        finally:
            acknowledged.extend([None] * orders)
            killer.join(timeout=PATIENCE)
            server.kill()
            server.client.close()
        check_everything(settings, authority, [answer for answer in acknowledged if answer], orders)


def check_everything(settings, authority, acknowledged, orders):
    with Ledger.open(settings.ledger_url) as ledger:
        chain = ledger.chain(OWNER, UNIT.id)
        documents, cursor = [], None
        while True:
            page = ledger.invoices(OWNER, Filter(), cursor=cursor, limit=100)
            documents += page.items
            cursor = page.next
            if cursor is None:
                break
        assert sorted(each.icv for each in documents) == list(range(1, orders + 1))
        assert list(walk(ledger.chain_links(OWNER, chain.id))) == []
        assert {each.status for each in documents} == {Status.REPORTED}
        assert sorted(each.order_id for each in documents) == sorted(f"SO-{n}" for n in range(1, orders + 1))
        assert len({each.number for each in documents}) == orders
        assert {each["uuid"]: each["hash"] for each in acknowledged} == {each.uuid: each.hash for each in documents}
        assert sorted(each.hash for each in authority.state.accepted) == sorted(each.hash for each in documents)
