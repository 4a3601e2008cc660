"""Orders by HTTP: `gateway serve` on disk beside a naive peer, with one client and with 64.

The naive peer is what such a service looks like when nothing is done for speed; see tests/bench/naive.py. It judges
nothing but the sums, so its figures flatter it. The load comes from a process of its own on the same cores.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.simulator import Running
from tests.bench.growth import preload
from tests.bench.installed import (
    ROOT,
    START_SECONDS,
    Installation,
    check_chains,
    cpu_seconds,
    free_port,
    install,
    serving,
)
from tests.postgres import Databases, server

WARM = 128
UNITS = 50


class Target(NamedTuple):
    """Something that takes orders: where, with which key, and the processes that do it."""

    ports: list[int]
    pids: list[int]
    key: str
    units: int
    path: str = "/v1/orders"


class Measured(NamedTuple):
    """What came of a run."""

    rate: float
    p50: float
    p99: float
    cpu: float

    @property
    def row(self) -> tuple[str, ...]:
        return f"{self.rate:,.0f}/s", f"{self.p50 * 1000:.1f}", f"{self.p99 * 1000:.1f}", f"{self.cpu * 1000:.2f}"


class Bench:
    """Runs against targets; orders never repeat."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self._next = 1

    def measure(self, target: Target, clients: int) -> Measured:
        """All orders from so many clients at once, after some that do not count."""
        self._load(target, clients, WARM)
        busy = cpu_seconds(target.pids)
        seen = self._load(target, clients, self.orders)
        busy = cpu_seconds(target.pids) - busy
        took = sorted(seen["latencies"])
        assert set(seen["answers"]) == {"201"}, (seen["answers"], seen["first_refusal"])
        return Measured(
            self.orders / seen["seconds"],
            took[len(took) // 2],
            took[int(len(took) * 0.99)],
            busy / self.orders,
        )

    def _load(self, target: Target, clients: int, orders: int) -> dict[str, Any]:
        ports = [str(port) for port in target.ports]
        command = [
            *(sys.executable, "-m", "tests.bench.load", "--ports", *ports, "--path", target.path),
            *("--key", target.key, "--clients", str(clients), "--orders", str(orders)),
            *("--first", str(self._next), "--units", str(target.units)),
        ]
        self._next += orders
        return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


@contextmanager
def naive(home: Path, url: str) -> Iterator[Target]:
    """The naive peer on a database of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.naive", url or f"sqlite:///{home / 'naive.db'}", str(port)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Target([port], [process.pid], "none", 1)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    import socket

    patience = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < patience, "the peer does not start"
            time.sleep(0.05)


@contextmanager
def gateway(made: Installation, processes: int = 1) -> Iterator[Target]:
    """`gateway serve` on an installation, its chains checked afterwards."""
    with serving(made, processes) as (ports, pids):
        yield Target(ports, pids, made.key, len(made.units))
    check_chains(made)


def show(console: Console, *, orders: int, grown: int) -> None:
    """All rows: one client and 64, SQLite and PostgreSQL, one chain and many, before and after growth."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in (
        "orders of 5 lines by HTTP",
        "clients",
        "rate",
        "p50 ms",
        "p99 ms",
        "CPU ms an order",
        "times naive",
    ):
        table.add_column(column, justify="left" if column.startswith("orders") else "right")
    bench = Bench(orders)

    def rows(what: str, target: Target, peer: dict[int, Measured] | None = None) -> dict[int, Measured]:
        found = {clients: bench.measure(target, clients) for clients in (1, 64)}
        for clients, seen in found.items():
            times = f"{seen.rate / peer[clients].rate:.1f}" if peer else ""
            table.add_row(what, str(clients), *seen.row, times)
        return found

    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder, Running() as authority:
        home = Path(folder)
        _on_sqlite(rows, home, authority, grown)
        _on_postgresql(rows, home, authority, console)
    console.print(table)


Rows = Callable[..., dict[int, Measured]]


def _on_sqlite(rows: Rows, home: Path, authority: Any, grown: int) -> None:
    with naive(home, "") as target:
        peer = rows("naive peer, SQLite", target)
    made = install(home / "one", authority)
    with gateway(made) as target:
        rows("one serve, SQLite, one chain", target, peer)
    preload(made, grown)
    with gateway(made) as target:
        rows(f"the same with {grown:,} documents before", target, peer)
    many = install(home / "many", authority, units=UNITS)
    with gateway(many) as target:
        rows(f"one serve, SQLite, {UNITS} units", target, peer)


def _on_postgresql(rows: Rows, home: Path, authority: Any, console: Console) -> None:
    try:
        with server() as url:
            databases = Databases(url)
            try:
                with naive(home, databases.create()) as target:
                    peer = rows("naive peer, PostgreSQL", target)
                many = install(home / "two", authority, units=UNITS, database_url=databases.create())
                with gateway(many, processes=2) as target:
                    rows(f"two serve, PostgreSQL, {UNITS} units", target, peer)
                one = install(home / "chain", authority, database_url=databases.create())
                with gateway(one) as target:
                    rows("one serve, PostgreSQL, one chain", target, peer)
            finally:
                databases.close()
    except pytest.skip.Exception as reason:
        console.print(f"No rows on PostgreSQL: {reason}")
