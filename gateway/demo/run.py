"""The main job from end to end on one machine: simulated authority, two shops, and the gateway between them.

Everything is real but the world outside: documents are stamped, submitted over HTTP and judged, shops are called back.
At the end nothing is believed: the chain is walked, every document is judged again, and the authority and the shops are
asked what they have.
"""

import asyncio
import copy
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway import demo, rules
from gateway.api.app import create_app
from gateway.chain import walk
from gateway.csid import read_certificate
from gateway.demo.salla import SallaShop, salla_shop
from gateway.demo.woocommerce import WooCommerceShop, woocommerce_shop
from gateway.issued import Issued
from gateway.ledger import Filter, LinkBackState
from gateway.listener import listen
from gateway.pipeline.connect import add_connection, begin_polling, register
from gateway.pipeline.gateway import Gateway, online, open_gateway
from gateway.pipeline.onboard import onboard
from gateway.settings import Settings
from gateway.simulator import Running
from gateway.unit import Environment, Unit
from gateway.unit_file import read_unit

Shop = WooCommerceShop | SallaShop
Orders = dict[str, dict[str, Any]]
_EVENT: Final = "order.created"  # both platforms call it so
_WRONG: Final = "does_not_close"
_RETURNED: Final = ("woocommerce", "several_lines")
"""Of this order one piece of the first line comes back."""
_OTP: Final = "123456"
ACTOR: Final = "demo"
_PATIENCE: Final = 60.0
"""Seconds without any progress after which the demo says that it failed."""


class Row(NamedTuple):
    """One order (shop/order) and what became of it."""

    order: str
    number: str
    icv: str
    kind: str
    total: str
    vat: str
    status: str
    linked_back: str


@dataclass
class Result:
    """What the demo shows; `problems` is empty if all of it held."""

    rows: list[Row] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kept: Path | None = None

    @property
    def held(self) -> bool:
        return not self.problems


def run_demo(*, orders: int | None = None, keep: bool = False) -> Result:
    """Run it all; progress goes to standard error."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(stderr=True, highlight=False)
    woocommerce, salla = _orders(orders)
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
        if not keep:
            stack.callback(_remove, home)
        authority = stack.enter_context(Running())
        shops: dict[str, Shop] = {
            "woocommerce": stack.enter_context(woocommerce_shop(woocommerce)),
            "salla": stack.enter_context(salla_shop(salla)),
        }
        gateway = stack.enter_context(open_gateway(_settings(home, authority)))
        result = asyncio.run(_run(gateway, authority, shops, console, refunds=orders is None))
    result.kept = home if keep else None
    return result


def _remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)


def _settings(home: Path, authority: Running) -> Settings:
    return Settings.given(
        home=home,
        environment=Environment.SANDBOX,
        authority_url=authority.url(Environment.SANDBOX),
        allow_private_shops=True,
        submissions_in_flight=20,
    )


def _orders(wanted: int | None) -> tuple[Orders, Orders]:
    """The sample orders of both shops, or as many copies of them (under other ids) as are wanted."""
    samples = {platform: demo.orders(platform) for platform in ("woocommerce", "salla")}
    if wanted is None:
        return samples["woocommerce"], samples["salla"]
    named = [(platform, name, order) for platform, found in samples.items() for name, order in found.items()]
    pool = [(platform, name, order) for platform, name, order in named if name != _WRONG]
    chosen: dict[str, Orders] = {"woocommerce": {}, "salla": {}}
    for position in range(wanted):
        platform, name, order = pool[position % len(pool)]
        chosen[platform][f"{name}-{position}"] = _copy(platform, order, position // len(pool))
    return chosen["woocommerce"], chosen["salla"]


def _copy(platform: str, order: dict[str, Any], generation: int) -> dict[str, Any]:
    copied = copy.deepcopy(order)
    copied["id"] += generation * 1_000_000
    name = "number" if platform == "woocommerce" else "reference_id"
    copied[name] = str(copied["id"]) if platform == "woocommerce" else copied[name] + generation * 1_000_000
    return copied


# -- the run --------------------------------------------------------------------------------------------------


async def _run(
    gateway: Gateway, authority: Running, shops: dict[str, Shop], console: Console, *, refunds: bool
) -> Result:
    unit = read_unit((files("gateway.demo") / "unit.json").read_bytes(), Environment.SANDBOX)
    console.print(f"Simulated authority at {authority.url(Environment.SANDBOX)}", soft_wrap=True)
    register(gateway, unit, actor=ACTOR)
    async with online(gateway) as lines:
        await onboard(gateway, lines, unit, _OTP, tell=lambda step: console.print(f"Onboarding {unit.id}: {step}"))
    for name, shop in shops.items():
        connection = shop.connection(name, taxpayer_id=unit.taxpayer_id, unit_id=unit.id)
        add_connection(gateway, connection, actor=ACTOR)
        begin_polling(gateway, connection)
        console.print(f"{name} shop with {len(shop.orders)} orders at {shop.url}", soft_wrap=True)
    async with _serving(gateway) as address:
        await _announce(shops, address)
        orders = sum(len(shop.orders) for shop in shops.values())
        await _watch(gateway, unit, orders, console, "Issued, accepted and linked back")
        returned = await _give_back(gateway, unit, shops, address) if refunds else []
        if returned:
            await _watch(gateway, unit, orders + len(returned), console, "A refund in the shop becomes a credit note")
    return _result(gateway, authority, unit, shops, returned)


@asynccontextmanager
async def _serving(gateway: Gateway) -> Any:
    """The gateway's own API and worker on a free port, as `gateway serve` runs them."""
    server = uvicorn.Server(uvicorn.Config(create_app(gateway), log_level="warning"))
    with listen("127.0.0.1", 0) as door:
        task = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def _announce(shops: dict[str, Shop], address: str) -> None:
    """Every shop sends its webhook for every order, twice: webhooks repeat themselves."""
    for name, shop in shops.items():
        for order_id in shop.orders:
            url = f"{address}/v1/hooks/{name}"
            statuses = await asyncio.to_thread(shop.deliver, _EVENT, order_id, url, times=2)
            assert statuses == [200, 200], f"the gateway answered {statuses} to {name}'s webhook"


async def _give_back(gateway: Gateway, unit: Unit, shops: dict[str, Shop], address: str) -> list[str]:
    """A buyer sends something back, and the shop refunds it; the orders this was done to."""
    name, sample = _RETURNED
    shop, order_id = shops[name], str(demo.orders(name)[sample]["id"])
    if not isinstance(shop, WooCommerceShop) or not gateway.ledger.order_documents(unit.taxpayer_id, name, order_id):
        return []
    shop.give_back(order_id, shop.orders[order_id]["line_items"][0], 1)
    await asyncio.to_thread(shop.deliver, "order.updated", order_id, f"{address}/v1/hooks/{name}", times=2)
    return [order_id]


async def _watch(gateway: Gateway, unit: Unit, total: int, console: Console, what: str) -> None:
    """Show progress until so many are settled, or nothing moves any more."""
    with _progress(console) as progress:
        bar = progress.add_task(what, total=total)
        done, patience = 0, _PATIENCE
        while done < total and patience > 0:
            await asyncio.sleep(0.1)
            settled = await asyncio.to_thread(_settled, gateway, unit)
            patience = _PATIENCE if settled > done else patience - 0.1
            done = settled
            progress.update(bar, completed=done)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


def _settled(gateway: Gateway, unit: Unit) -> int:
    """Orders that need nothing more: accepted and linked back, or waiting for a person."""
    linked = sum(_is_linked(gateway, unit, each) for each in _documents(gateway, unit))
    waiting = {notice.order_id for notice in gateway.ledger.quarantine(unit.taxpayer_id)}
    return linked + len(waiting)


def _documents(gateway: Gateway, unit: Unit) -> list[Issued]:
    """All documents, oldest first."""
    found: list[Issued] = []
    cursor: str | None = ""
    while cursor is not None:
        page = gateway.ledger.invoices(unit.taxpayer_id, Filter(), cursor=cursor, limit=200)
        found += page.items
        cursor = page.next
    return sorted(found, key=lambda each: each.icv)


def _is_linked(gateway: Gateway, unit: Unit, issued: Issued) -> bool:
    backs = gateway.ledger.link_backs(unit.taxpayer_id, issued.uuid)
    return bool(backs) and all(back.state is LinkBackState.DONE for back in backs)


# -- what became of it ----------------------------------------------------------------------------------------


def _result(gateway: Gateway, authority: Running, unit: Unit, shops: dict[str, Shop], returned: list[str]) -> Result:
    documents = _documents(gateway, unit)
    result = Result(
        rows=[_row(gateway, unit, each) for each in documents],
        waiting=[
            (f"{notice.connection_id} order {notice.order_id}", notice.reason.get("en", ""))
            for notice in gateway.ledger.quarantine(unit.taxpayer_id)
        ],
    )
    checks = (
        _each_once([each for each in documents if each.corrects is None], result, shops),
        *_given_back(documents, returned),
        _all_accepted(documents, authority),
        _chain_holds(gateway, unit, documents),
        _documents_hold(gateway, unit, documents),
        _shops_know(documents, shops),
    )
    for proof, problem in checks:
        (result.problems if problem else result.proofs).append(problem or proof)
    return result


def _row(gateway: Gateway, unit: Unit, issued: Issued) -> Row:
    return Row(
        order=f"{issued.connection}/{issued.order_id}",
        number=issued.number,
        icv=str(issued.icv),
        kind=f"{issued.profile.word} {issued.kind.word.replace('_', ' ')}",
        total=f"{issued.total:.2f} {issued.currency}",
        vat=f"{issued.vat:.2f}",
        status=issued.status.value,
        linked_back="yes" if _is_linked(gateway, unit, issued) else "no",
    )


Check = tuple[str, str]
"""What held, and what did not (empty if it held)."""


def _each_once(documents: list[Issued], result: Result, shops: dict[str, Shop]) -> Check:
    """One document for each order, but for those that are wrong on purpose, which nobody may have issued."""
    orders = {(name, order_id) for name, shop in shops.items() for order_id in shop.orders}
    wrong = {(name, str(demo.orders(name)[_WRONG]["id"])) for name in shops} & orders
    issued = sorted((each.connection, each.order_id) for each in documents)
    waiting = sorted(order for order, _ in result.waiting)
    held = issued == sorted(orders - wrong) and waiting == sorted(
        f"{name} order {order_id}" for name, order_id in wrong
    )
    proof = f"{2 * len(orders)} webhooks for {len(orders)} orders: one document each, {len(wrong)} in quarantine"
    return (
        proof,
        "" if held else f"{len(issued)} documents for {len(orders)} orders; in quarantine: {waiting or 'none'}",
    )


def _given_back(documents: list[Issued], returned: list[str]) -> Iterator[Check]:
    """Each refund has one credit note, about the invoice of its order."""
    for order_id in returned:
        mine = [each for each in documents if (each.connection, each.order_id) == (_RETURNED[0], order_id)]
        invoices, notes = ([each for each in mine if (each.corrects is None) is kind] for kind in (True, False))
        held = [each.corrects for each in notes] == [each.uuid for each in invoices]
        yield f"the refund of order {order_id} is one credit note", "" if held else f"{len(notes)} credit notes"


def _all_accepted(documents: list[Issued], authority: Running) -> Check:
    theirs = sorted(accepted.hash for accepted in authority.state.accepted)
    held = all(each.status.is_accepted for each in documents) and theirs == sorted(each.hash for each in documents)
    proof = f"the authority accepted exactly these {len(documents)} documents, once each"
    return proof, "" if held else f"the authority has {len(theirs)} documents, the ledger {len(documents)}"


def _chain_holds(gateway: Gateway, unit: Unit, documents: list[Issued]) -> Check:
    chain = gateway.ledger.chain(unit.taxpayer_id, unit.id)
    breaks = list(walk(gateway.ledger.chain_links(unit.taxpayer_id, chain.id)))
    held = not breaks and [each.icv for each in documents] == list(range(1, len(documents) + 1))
    proof = f"chain: ICV 1 to {len(documents)}, every previous hash in place"
    return proof, "" if held else f"the chain breaks: {[each.why for each in breaks]}"


def _documents_hold(gateway: Gateway, unit: Unit, documents: list[Issued]) -> Check:
    csid = gateway.ledger.current_csid(unit.taxpayer_id, unit.id)
    assert csid is not None, "the unit was onboarded"
    certificate = read_certificate(csid.certificate.encode())
    wrong = []
    for each in documents:
        xml = gateway.ledger.stamped_xml(unit.taxpayer_id, each.uuid)
        report = rules.check(xml, now=datetime.now(UTC), certificate=certificate)
        if report.xsd or report.findings:
            wrong.append(each.number)
    proof = "every document judged again: schema, rules, hash, signature and QR hold"
    return proof, f"documents that do not hold: {', '.join(wrong)}" if wrong else ""


def _shops_know(documents: list[Issued], shops: dict[str, Shop]) -> Check:
    silent = [f"{each.connection}/{each.order_id}" for each in documents if not _knows(shops[each.connection], each)]
    return "every shop's order carries its invoice", f"orders without it: {', '.join(silent)}" if silent else ""


def _knows(shop: Shop, issued: Issued) -> bool:
    """Whether the shop itself has the document's identity, in the way of its platform."""
    if isinstance(shop, WooCommerceShop):
        meta = {each["key"]: each["value"] for each in shop.orders[issued.order_id]["meta_data"]}
        name = f"_zatca_{issued.kind.word}" if issued.kind.is_note else "_zatca"
        return meta.get(f"{name}_uuid") == issued.uuid and meta.get(f"{name}_number") == issued.number
    mine = [each for each in shop.invoices if str(each["order_id"]) == issued.order_id]
    return [each["invoice_number"] for each in mine] == [issued.number]
