"""An installation to measure on: units onboarded with the simulator, on this machine's disk; then nobody answers."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.chain import walk
from gateway.connection import Connection
from gateway.pipeline.api_keys import Role, add_key
from gateway.pipeline.connect import add_connection, register
from gateway.pipeline.gateway import online as lines_of
from gateway.pipeline.gateway import open_gateway
from gateway.pipeline.onboard import onboard
from gateway.settings import Settings
from gateway.unit import Unit
from tests.installation import CONNECTION, OWNER, UNIT, settings_for

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
NOBODY = "http://127.0.0.1:9"
"""The authority while orders are measured: it does not answer, so its line is broken and rests."""


@dataclass(frozen=True)
class Installation:
    """Its settings, its units and a key for orders."""

    settings: Settings
    units: tuple[Unit, ...]
    key: str


def install(home: Path, authority, *, units: int = 1, database_url: str = "") -> Installation:
    """Units U01, U02 and so on (a single one has the demo's id)."""
    settings = settings_for(home, authority, database_url=database_url)
    made = (UNIT,) if units == 1 else tuple(_unit(n) for n in range(1, units + 1))
    with open_gateway(settings) as gateway:
        for unit in made:
            register(gateway, unit, actor="bench")
        asyncio.run(_onboard(gateway, made))
        add_connection(gateway, Connection(CONNECTION, OWNER, made[0].id, "api"), actor="bench")
        return Installation(settings, made, add_key(gateway, OWNER, Role.INTEGRATOR, "bench", actor="bench"))


def _unit(number: int) -> Unit:
    name = f"U{number:02d}"
    serial = f"1-gateway|2-1.0|3-7f0d3b52-6a1c-4f0e-9d53-{number:012d}"
    return replace(UNIT, id=name, common_name=f"{name}-{UNIT.seller.vat}", serial=serial, number_prefix=f"{name}-")


async def _onboard(gateway, units: Sequence[Unit]) -> None:
    async with lines_of(gateway) as lines:
        for unit in units:
            await onboard(gateway, lines, unit, "123456", tell=lambda step: None)


@contextmanager
def serving(made: Installation, processes: int = 1, judges: int | None = None) -> Iterator[tuple[list[int], list[int]]]:
    """Ports and process ids of that many `gateway serve` on the installation, each with a home of its own."""
    with ExitStack() as stack:
        ports, pids = [], []
        for number in range(processes):
            port, process = _start(made.settings, number, judges)
            stack.callback(_stop, process)
            ports.append(port)
            pids.append(process.pid)
        for port in ports:
            _await(port)
        yield ports, pids


def _start(settings: Settings, number: int, judges: int | None) -> tuple[int, subprocess.Popen[bytes]]:
    home = settings.home if number == 0 else settings.home.with_name(f"{settings.home.name}-{number}")
    if number:
        home.mkdir(exist_ok=True)
        shutil.copy(settings.home / "development.key", home)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")} | {
        "PYTHONPATH": str(ROOT),
        "GATEWAY_HOME": str(home),
        "GATEWAY_DATABASE_URL": settings.database_url,
        "GATEWAY_JOURNAL": str(settings.journal_file),
        "GATEWAY_AUTHORITY_URL": NOBODY,
        "GATEWAY_PORT": str(port),
        **({} if judges is None else {"GATEWAY_JUDGES": str(judges)}),
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return port, subprocess.Popen([sys.executable, "-m", "gateway", "serve"], cwd=ROOT, env=environment, **quiet)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def _await(port: int) -> None:
    patience = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < patience, "it does not start"
            time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_chains(made: Installation) -> int:
    """How many documents there are; every chain goes from 1 without a break."""
    with open_gateway(made.settings) as gateway:
        total = 0
        for unit in made.units:
            for chain in gateway.ledger.chains(OWNER, unit.id):
                breaks = list(walk(gateway.ledger.chain_links(OWNER, chain.id)))
                assert not breaks, f"the chain of {unit.id} is broken: {breaks[:3]}"
                total += chain.head.icv - 1
    return total


def cpu_seconds(pids: Sequence[int]) -> float:
    """What these processes and their children have used of the machine."""
    ticks = 0
    for pid in [*pids, *(child for each in pids for child in _children(each))]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found
