"""An installation under torment: its processes, the shop and the ERP that use it, and what must hold afterwards."""

import itertools
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from gateway import demo
from gateway.demo.woocommerce import woocommerce_shop
from gateway.issued import Status
from gateway.order import read_order
from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.simulator import Running
from tests.installation import BUSINESS, OWNER, UNIT, installed, order
from tests.simulation.invariants import Invariants

PATIENCE = 60.0
"""Seconds until what should have happened is taken for not happening."""
CALM = 0.03
"""Seconds between the orders of one caller: a process dies in the midst of work, and what it left is not too much."""
SAMPLE = "several_lines"


class Zygote:
    """Where processes come from."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torment.zygote"], cwd=Path(__file__).parents[2], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def fork(self, **job):
        with self._lock:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            return Mortal(int(self._process.stdout.readline()))

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Mortal:
    """A process that may die at any moment."""

    def __init__(self, pid):
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:  # already dead
            self._handle = None

    def is_dead_within(self, seconds):
        if self._handle is None:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        os.close(self._handle)
        self._handle = None
        return True

    def kill(self):
        """SIGKILL, and the end of it."""
        if self._handle is None:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        assert self.is_dead_within(PATIENCE)


class Template:
    """One installation with a unit and a shop, laid down once for each engine; every site is a copy of it."""

    def __init__(self, home, databases=None):
        self.home, self.databases = home, databases
        self._url = databases.create() if databases else ""
        self.authority = Running().__enter__()
        self.shop = woocommerce_shop({})
        self._shop = self.shop.__enter__()
        self.settings, self.key = installed(home, self.authority, **self._database(self._url))
        with open_gateway(self.settings) as gateway:
            connection = self._shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
            add_connection(gateway, connection, actor="tests")

    @staticmethod
    def _database(url):
        return {"database_url": url} if url else {}

    @contextmanager
    def site(self, zygote, folder, **more):
        """An installation of one test's own; the authority and the shop have forgotten what others did."""
        shutil.copytree(self.home, folder / "home")
        url = self.databases.create(self._url.rpartition("/")[2]) if self.databases else ""
        self._forget()
        settings = self.settings.model_copy(update={"home": folder / "home", **self._database(url), **more})
        site = Site(zygote, settings, self.key, self.authority, self._shop)
        try:
            yield site
        finally:
            site.close()
            if url:
                self.databases.drop(url)

    def _forget(self):
        state = self.authority.state
        csids = dict(state.csids)
        state.reset()
        state.csids.update(csids)
        state.faults.latency = 0.0
        for csid in csids.values():
            csid.chain.clear()
        for kept in (self._shop.orders, self._shop.notes, self._shop.refunds):
            kept.clear()

    def close(self):
        self.shop.__exit__(None, None, None)
        self.authority.__exit__(None, None, None)


class Site:
    """One installation, its processes and its callers."""

    def __init__(self, zygote, settings, key, authority, shop):
        self._zygote, self.settings, self.authority, self.shop = zygote, settings, authority, shop
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.caller = httpx2.Client(base_url=self.url, timeout=20, headers={"Authorization": f"Bearer {key}"})
        self.log = settings.home.parent / "said"
        self.books = Invariants(None, OWNER, authority.state)
        self.acknowledged, self.told, self.refused = {}, set(), []
        self.numbers, self._mortals = itertools.count(1), []
        shop.sender = httpx2.Client(timeout=20)

    # -- processes

    def start(self, *arguments, module="gateway.__main__", point=None, nth=1, **more):
        """Run the product's command, or another module; with a point, until it comes there for the nth time."""
        settings = self.settings
        environment = {
            "GATEWAY_HOME": str(settings.home),
            "GATEWAY_DATABASE_URL": settings.database_url,
            "GATEWAY_JOURNAL": str(settings.journal_file),
            "GATEWAY_AUTHORITY_URL": settings.authority_url,
            "GATEWAY_AUTHORITY_TIMEOUT": "20",
            "GATEWAY_ALLOW_PRIVATE_SHOPS": "true",
            "GATEWAY_PORT": str(self._port),
        }
        mortal = self._zygote.fork(
            module=module, arguments=arguments, environment=environment, log=str(self.log), point=point, nth=nth, **more
        )
        self._mortals.append(mortal)
        return mortal

    def is_ready(self):
        with suppress(httpx2.TransportError):
            return self.caller.get("/readyz").status_code == 200
        return False

    def close(self):
        for each in self._mortals:
            each.kill()
        self.caller.close()
        self.shop.sender.close()

    # -- callers

    @contextmanager
    def callers(self, *, erps=2, shops=1):
        """They send new orders until the block ends, and each of them until it is acknowledged."""
        over, failed = threading.Event(), []

        def keep(send):
            try:
                while not over.is_set():
                    send(next(self.numbers))
                    time.sleep(CALM)
            except BaseException as error:  # noqa: BLE001, it is raised where the test sees it
                failed.append(error)

        threads = [threading.Thread(target=keep, args=(self.order,)) for _ in range(erps)]
        threads += [threading.Thread(target=keep, args=(self.webhook,)) for _ in range(shops)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            over.set()
            for each in threads:
                each.join(PATIENCE * 2)
            assert not any(each.is_alive() for each in threads), f"not answered: {self.said()}"
        if failed:
            raise failed[0]

    def order(self, number):
        """What a careful ERP does: the same order with the same key until there is an answer."""
        more = {"buyer": BUSINESS} if number % 4 == 0 else {}
        body, headers = json.dumps(order(number, **more)), {"Idempotency-Key": f"key-{number}"}
        answer = self._until_taken(lambda: self.caller.post("/v1/orders", content=body, headers=headers), (200, 201))
        self.acknowledged[answer.json()["uuid"]] = answer.json()["hash"]

    def webhook(self, number):
        """What a shop does: announce an order until that is answered."""
        self.shop.orders[f"{number}"] = demo.orders("woocommerce")[SAMPLE] | {"id": number, "number": str(number)}
        self.shop.notes[f"{number}"], self.shop.refunds[f"{number}"] = [], []
        address = f"{self.url}/v1/hooks/shop"
        self._until_taken(lambda: httpx2.Response(self.shop.deliver("order.updated", f"{number}", address)[0]), (200,))
        self.told.add(f"{number}")

    def _until_taken(self, send, good):
        until = time.monotonic() + PATIENCE * 2
        while True:
            with suppress(httpx2.TransportError):
                answer = send()
                if answer.status_code in good:
                    return answer
                assert answer.status_code == 503, f"{answer.text}\n{self.said()}"
                self.refused.append(answer)
            assert time.monotonic() < until, f"never acknowledged: {self.said()}"
            time.sleep(0.05)

    def issue(self, count):
        """So many documents, made here, for others to send."""
        with open_gateway(self.settings) as gateway:
            for _ in range(count):
                made = issue(gateway, Request(OWNER, "tests", read_order(order(next(self.numbers))))).issued
                self.acknowledged[made.uuid] = made.hash

    # -- what holds

    def check(self, *, drained=False):
        """I1 to I8 (and the other invariants), and nothing that was acknowledged is lost."""
        with open_gateway(self.settings) as gateway:
            self.books.gateway = gateway
            found = self.books.check(drained=drained)
        hashes = {row.uuid: row.hash for row in found.documents}
        assert self.acknowledged.items() <= hashes.items(), "an acknowledged document is lost"
        return found

    def drained(self):
        """Wait until all is done that anybody was promised, and check that it was done once."""
        with open_gateway(self.settings) as gateway:
            queues = gateway.ledger.queue_depths
            wait_for(lambda: {name: count for name, count in queues().items() if count}, lambda left: not left)
        found = self.check(drained=True)
        assert all(Status(row.status).is_accepted for row in found.documents)
        orders = [each.thing for each in found.sales]
        assert len(orders) == len(set(orders)) == len(found.documents)
        assert {f"order:{number}" for number in self.told} <= set(orders), "an acknowledged webhook was forgotten"
        assert sorted(each.hash for each in self.authority.state.accepted) == sorted(
            row.hash for row in found.documents
        )
        return found

    def said(self):
        """The end of what the processes said."""
        return self.log.read_text()[-3000:] if self.log.exists() else ""


def wait_for(look, is_good=bool, patience=PATIENCE):
    """What `look` shows as soon as it is good."""
    until = time.monotonic() + patience
    while not is_good(seen := look()):
        assert time.monotonic() < until, seen
        time.sleep(0.05)
    return seen


def series(seed):
    """The chance of one run: the same seed, the same moments."""
    return random.Random(seed)
