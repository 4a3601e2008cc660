"""Many workers at once: processes with as many threads as workers, each of which makes documents of one unit."""

import json
import statistics
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

PROCESSES = 4


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


def p99(waits):
    """The longest wait but for one in a hundred, in seconds."""
    return statistics.quantiles(waits, n=100)[98]


def told(waits):
    """How long they waited."""
    median, nearly_all, worst = statistics.median(waits), p99(waits), max(waits)
    return f"waited for the chain {median:.4f} s in the median, {nearly_all:.4f} s at p99, {worst:.4f} s at worst"


@contextmanager
def timed(waits):
    """Measure from the moment at which a document is to be made to the one at which it is laid in its place for good:
    one that was foreseen before may have moved."""
    real = Ledger.append

    def append(ledger, sale, make, **more):
        begun = laid = time.perf_counter()

        def made(slot):
            nonlocal laid
            laid = time.perf_counter()
            return make(slot)

        appended = real(ledger, sale, made, **more)
        waits.append(laid - begun)
        return appended

    with patch.object(Ledger, "append", append):
        yield
