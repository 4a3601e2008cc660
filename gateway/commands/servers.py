"""Commands that keep running (serve, work, simulate) and the demo."""

import asyncio
import fcntl
import gc
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import uvicorn

from gateway.commands.console import out, table
from gateway.commands.streams import print_json
from gateway.commands.units import installation
from gateway.errors import Misconfigured
from gateway.listener import listen
from gateway.pipeline.gateway import Gateway, authority_of, online
from gateway.worker import Worker

if TYPE_CHECKING:
    from gateway.demo.run import Result


REQUESTS_AT_ONCE: Final = 32
"""Most of them wait for their turn at a chain; more requests than that wait a little, or are refused."""


@click.command("serve", short_help="The API and its worker in one process.")
def serve_command() -> None:
    """The API and its worker in one process, on GATEWAY_HOST and GATEWAY_PORT.

    Orders: POST /v1/orders; the whole interface: /openapi.json. Stop with Ctrl-C; what was under way goes on at
    the next start.
    """
    from gateway.api.app import create_app

    with installation(serves=True) as gateway, ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        settings = gateway.settings
        _alone(settings.home)
        listener = listen(settings.host, settings.port)
        click.echo(
            f"gateway on http://{settings.host}:{settings.port} ({settings.environment.value}), "
            f"authority at {authority_of(settings)}, ledger in {gateway.ledger.engine}; Ctrl-C stops it.",
            err=True,
        )
        app = create_app(replace(gateway, threads=threads), nightly=True)
        gc.freeze()  # what is loaded stays, so the collector need not walk it again and again
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=10, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _alone(home: Path) -> None:
    """Hold the home folder's lock until this process ends, however it ends: one `serve` works on one home."""
    lock = os.open(home / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Misconfigured(
            f"Another `gateway serve` works on {home} already.", fix="Stop it first, or use another GATEWAY_HOME."
        ) from None


@click.command("work", short_help="A worker alone, or once what is due.")
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
def work_command(once: bool) -> None:
    """A worker alone: submissions, shop hints and link-backs of this installation."""
    with installation() as gateway, suppress(KeyboardInterrupt):
        asyncio.run(_work(gateway, once=once))


async def _work(gateway: Gateway, *, once: bool) -> None:
    async with online(gateway) as lines:
        worker = Worker(gateway, lines, name=f"work-{socket.gethostname()}-{os.getpid()}", nightly=not once)
        await (worker.drain() if once else worker.run())


@click.command("simulate", short_help="The tax authority, simulated, for tests and demos.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the authority's endpoints.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8100, show_default=True, help="The authority's six endpoints."
)
@click.option(
    "--management-host",
    default="127.0.0.1",
    show_default=True,
    help="Address of the management port, which asks for no password.",
)
@click.option(
    "--management-port", type=click.IntRange(1, 65535), default=8101, show_default=True, help="To steer and to look."
)
@click.option("--allow-name", multiple=True, help="A name besides addresses that the management port answers to.")
@click.option("--url", default="", help="How others reach the endpoints, for the CRL's address in certificates.")
@click.option("--latency", type=click.FloatRange(0, 600), default=0.0, help="Seconds before every answer.")
@click.option("--strict-clients", is_flag=True, help="Answers go wrong by chance.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the chance: the same seed, the same faults.")
@click.option(
    "--fault-rate", type=click.FloatRange(0, 1), default=0.3, show_default=True, help="How many of all calls go wrong."
)
@click.option("--fault", "faults", multiple=True, help="Only this fault, by name; left out: all that need no person.")
@click.option(
    "--stall",
    type=click.FloatRange(0, 600),
    default=5.0,
    show_default=True,
    help="Seconds of silence of the fault `stall`.",
)
def simulate_command(
    host: str,
    port: int,
    management_host: str,
    management_port: int,
    allow_name: tuple[str, ...],
    url: str,
    latency: float,
    strict_clients: bool,
    seed: int,
    fault_rate: float,
    faults: tuple[str, ...],
    stall: float,
) -> None:
    """The tax authority, simulated: for tests and demos of any e-invoicing software.

    It judges documents for real, with its own throw-away certificate authority, keeps everything in memory and
    forgets it when it stops. It is not the authority: nothing it accepts is reported to anyone.
    """
    from gateway.simulator import SURVIVABLE, Place, Strict, create, serve

    strict = None
    if strict_clients:
        try:
            strict = Strict(seed, fault_rate, faults or SURVIVABLE, delay=0.2, stall=stall, retry_after=1)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    place = Place(host, port, management_host, management_port, url, allow_name)
    serve(place, create(latency=latency, strict=strict))


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the demo's ledger and say where it is.")
@click.option(
    "--orders", type=click.IntRange(1, 1000), help="How many orders; the samples of every shop, once, if left out."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an order instead of the table.")
def demo_command(keep: bool, orders: int | None, as_json: bool) -> None:
    """The main job from end to end, on this machine alone.

    Starts a simulated authority and two shops, onboards a unit, lets the shops announce their orders, issues them,
    submits them, writes the status back, and verifies the chain. Exit 0 only if all of it held.
    """
    from gateway.demo.run import run_demo

    result = run_demo(orders=orders, keep=keep)
    if as_json:
        for row in result.rows:
            print_json(row._asdict())
    else:
        _print(result)
    raise SystemExit(0 if result.held else 1)


def _print(result: "Result") -> None:
    """The table, what waits for a person, and what was verified."""
    columns = ("Order", "Invoice", "ICV", "Kind", "Total", "VAT", "Authority", "Linked back")
    table("Orders and their documents", columns, result.rows, right=("ICV", "Total", "VAT"))
    for order, reason in result.waiting:
        out.print(f"[yellow]In quarantine[/] {order}: ", end="")
        out.print(reason, markup=False, soft_wrap=True)
    for proof in result.proofs:
        out.print(f"[green]ok[/] {proof}", soft_wrap=True)
    for problem in result.problems:
        out.print(f"[red]FAILED[/] {problem}", soft_wrap=True)
    if result.kept:
        out.print(f"The ledger is kept: GATEWAY_HOME={result.kept}", soft_wrap=True)
