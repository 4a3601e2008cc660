"""Starts the product's commands in milliseconds: all is imported once, and every process is a fork of this one.

It reads a line of JSON for each: the module whose `main` it runs, arguments, environment, a file for what is said, and
the point at which to die. It answers with the process's number. What it forks is killed by whoever asked for it.
"""

import importlib
import json
import os
import sys
from contextlib import suppress
from datetime import timedelta

from tests.torment.points import Point, arm

IMPORTED = "__main__ commands.servers commands.units commands.orders api.app demo.woocommerce worker ledger.database"
SHORT_LEASE = timedelta(seconds=1)
"""Others take over what a dead process had in hand after this, instead of most of a minute."""


def main():
    for name in IMPORTED.split():
        importlib.import_module(f"gateway.{name}")
    print("ready", flush=True)
    for line in sys.stdin:
        bury()
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            become(job)
        print(child, flush=True)
    bury()


def bury():
    """Let the dead go."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def become(job):
    """A process like any other, but for the point that it may not pass and for its impatience."""
    said = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
        os.dup2(file, stream)
    os.environ.update(job["environment"])
    hasten(busy_seconds=job.get("busy_seconds"), end_seconds=job.get("end_seconds"))
    if job.get("point"):
        arm(Point(*job["point"]), job["nth"])
    status = 1
    try:
        importlib.import_module(job["module"]).main(job["arguments"])
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def hasten(*, busy_seconds, end_seconds):
    from gateway import worker
    from gateway.ledger import database
    from gateway.pipeline import gateway, seal

    timeout = timedelta(seconds=float(os.environ["GATEWAY_AUTHORITY_TIMEOUT"]))
    worker.LEASE_MARGIN, worker.SHOP_LEASE = SHORT_LEASE - timeout, SHORT_LEASE
    worker.SEALS_EVERY, seal.SOON = 0.2, timedelta(seconds=0.1)
    if busy_seconds:
        database.BUSY_SECONDS = busy_seconds
    if end_seconds:
        gateway.END_SECONDS = end_seconds


if __name__ == "__main__":
    main()
