"""Many at once: sixteen workers on one unit, and eight units with four workers each."""

import asyncio
import json
import statistics
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from gateway.pipeline.connect import register
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.onboard import onboard
from tests.installation import UNIT
from tests.postgres import connected

pytestmark = pytest.mark.load
PROCESSES = 4
SHORT, LONG = 64, 25_000
"""Documents of each of two kinds of load on each of two engines."""
P99_SECONDS = 0.25


def onboard_units(site, count):
    """So many units besides the one that is there."""
    names = [f"L{number:02d}" for number in range(count)]

    async def all_of_them(gateway):
        async with online(gateway) as lines:
            for name in names:
                unit = replace(
                    UNIT, id=name, number_prefix=f"{name}-", common_name=name, serial=f"1-gateway|2-1.0|3-{name}"
                )
                register(gateway, unit, actor="tests")
                await onboard(gateway, lines, unit, "123456", tell=lambda step: None)

    with open_gateway(site.settings) as gateway:
        asyncio.run(all_of_them(gateway))
    return names


def loads(site, workers, documents):
    """All that is to be done, shared out over processes; what each document waited, in order."""
    each = documents // len(workers)
    files = [site.log.with_name(f"waits-{number}") for number in range(PROCESSES)]
    shares = [workers[number::PROCESSES] for number in range(PROCESSES)]
    running = [
        site.start(file.name, str(each), str(file), *share, module="tests.torment.load")
        for file, share in zip(files, shares, strict=True)
    ]
    assert all(process.is_dead_within(documents) for process in running), "they stand in each other's way"
    assert all(file.exists() for file in files), site.said()
    return sorted(wait for file in files for wait in json.loads(file.read_text()))


DOCUMENTS = pytest.mark.parametrize(
    "documents", [pytest.param(SHORT, id="some"), pytest.param(LONG, id="very many", marks=pytest.mark.torture)]
)


@DOCUMENTS
@pytest.mark.parametrize("kind", ["16 workers on one unit", "4 workers on each of 8 units"])
def test_many_workers(site, kind, documents):
    workers = [UNIT.id] * 16 if kind.endswith("one unit") else onboard_units(site, 8) * 4
    waits = loads(site, workers, documents)
    assert len(waits) == documents
    found = site.check().documents
    assert len(found) == documents
    assert deadlocks(site) == 0
    median, p99, worst = statistics.median(waits), statistics.quantiles(waits, n=100)[98], waits[-1]
    print(f"{kind}: waited for the chain {median:.4f} s in the median, {p99:.4f} s at p99, {worst:.4f} s at worst")
    if documents == LONG:  # timing does not decide the short form
        assert p99 < P99_SECONDS


def deadlocks(site):
    """How often the server had to undo one of two that waited for one another."""
    if not site.settings.database_url:
        return 0
    with connected(make_url(site.settings.database_url)) as raw:
        return raw.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()[0]
