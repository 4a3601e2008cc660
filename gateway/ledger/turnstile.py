"""The turnstile of an embedded ledger: of all processes that write to one file, one at a time does, in a queue.

SQLite lets one write at a time as well, but whoever waits there looks again now and then, and may be passed by others
for seconds. And before 3.51.3 it can damage a file when two connections write or checkpoint at the same moment
(https://www.sqlite.org/wal.html#walresetbug): so a ledger's connections write, and checkpoint, only in here. The last
connection to close checkpoints too, but SQLite gives that one the whole file for it.

The locks are the operating system's. They end with the process that holds them, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from gateway.errors import Misconfigured
from gateway.ledger.faults import busy

_FIRST_LOOK: Final = 0.0002
_LONGEST_LOOK: Final = 0.002
"""Seconds until a lock that is taken is tried again: soon at first, for a transaction is over within milliseconds."""


class Turnstile:
    """Two locks beside the ledger. Whoever is next holds the first while it waits for the second, so that nobody who
    comes later passes it. One thread of a process at a time may use it."""

    def __init__(self, ledger: Path) -> None:
        self._name = str(ledger)
        self._next = _opened(ledger, "queue")
        self._turn = _opened(ledger, "turn")

    @contextmanager
    def turn(self, *, until: float) -> Iterator[None]:
        """Alone until the block ends; busy if others are still at it at this moment of the monotonic clock."""
        self._lock(self._next, until)
        try:
            self._lock(self._turn, until)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the files."""
        self._next.close()
        self._turn.close()

    def _lock(self, file: BinaryIO, until: float) -> None:
        pause = _FIRST_LOOK
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            except OSError as error:
                raise Misconfigured(
                    f"The files beside {self._name} cannot be locked: {error.strerror}.", fix="Use a local disk."
                ) from None
            if time.monotonic() > until:
                raise busy(self._name)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)


def _opened(ledger: Path, name: str) -> BinaryIO:
    """A file that belongs to whoever the ledger belongs to, even where an administrator's command makes it."""
    path = ledger.with_name(f"{ledger.name}.{name}")
    try:
        # Never through a link: it could lead an administrator's command to any file, and give that away below.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "rb")
    except OSError as error:
        raise Misconfigured(
            f"{path}, by which processes take turns at the ledger, cannot be opened: {error.strerror}.",
            fix="Give it to the user who runs the gateway.",
        ) from None
    if os.geteuid() == 0 and os.fstat(file.fileno()).st_nlink == 1:
        owner = ledger.stat()
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    return file
