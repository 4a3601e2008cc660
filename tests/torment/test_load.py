"""Many at once: sixteen workers on one unit, and eight units with four workers each."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from gateway.pipeline.connect import register
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.onboard import onboard
from tests.installation import UNIT
from tests.postgres import connected
from tests.torment.load import loads, p99, told

pytestmark = pytest.mark.load
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


DOCUMENTS = pytest.mark.parametrize(
    "documents", [pytest.param(SHORT, id="some"), pytest.param(LONG, id="very many", marks=pytest.mark.torture)]
)


@DOCUMENTS
def test_sixteen_workers_on_one_unit(site, documents):
    under_load(site, [UNIT.id] * 16, documents)


@DOCUMENTS
@pytest.mark.parametrize("site", ["postgresql", pytest.param("sqlite", marks=pytest.mark.torture)], indirect=True)
def test_four_workers_on_each_of_eight_units(site, documents):
    under_load(site, onboard_units(site, 8) * 4, documents)


def under_load(site, workers, documents):
    """I1 to I3 hold, nobody stood in another's way for ever; in the long form, nor for long."""
    waits = loads(site, workers, documents)
    assert len(waits) == len(site.check().documents) == documents
    assert deadlocks(site) == 0
    print(f"{len(workers)} workers on {len(set(workers))} units {told(waits)}")
    if documents == LONG:  # timing does not decide the short form
        assert p99(waits) < P99_SECONDS


def deadlocks(site):
    """How often the server had to undo one of two that waited for one another."""
    if not site.settings.database_url:
        return 0
    with connected(make_url(site.settings.database_url)) as raw:
        return raw.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()[0]
