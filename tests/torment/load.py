"""One process of the load: as many threads as it has workers, each of which makes documents of one unit."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from gateway.ledger import Ledger
from gateway.order import read_order
from gateway.pipeline.gateway import open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.settings import Settings
from tests.installation import OWNER, order


def main(arguments):
    """Name, documents for each worker, a file for the waits in seconds, and the units of the workers."""
    name, documents, file, *units = arguments
    waits, threads = [], ThreadPoolExecutor(len(units))

    def work(thread, unit):
        for number in range(int(documents)):
            content = json.dumps(order(f"{name}-{thread}-{number}", unit=unit))
            assert issue(gateway, Request(OWNER, "load", read_order(content))).created

    with open_gateway(Settings()) as gateway, timed(waits), threads:
        for each in [threads.submit(work, thread, unit) for thread, unit in enumerate(units)]:
            each.result()
    Path(file).write_text(json.dumps(waits))


@contextmanager
def timed(waits):
    """Measure from the moment at which a document is to be made to the one at which its chain is held."""
    real = Ledger.append

    def append(ledger, sale, make, **more):
        begun = time.perf_counter()

        def made(slot):
            waits.append(time.perf_counter() - begun)
            return make(slot)

        return real(ledger, sale, made, **more)

    with patch.object(Ledger, "append", append):
        yield
