"""The head journal: how far each chain goes, in a file outside the database, synced before a document is acknowledged.

A ledger that is older than the journal was restored from a backup: what the journal has beyond it was issued and may be
with the authority, so its counters must not be used again. Lines are appended; what is no line (a crash while one was
written) counts for nothing. The file stays small: now and then it is written anew with the last line of each chain.
"""

import fcntl
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from gateway.disk import sync, write_all, write_whole
from gateway.errors import Misconfigured, Unavailable
from gateway.ledger.columns import iso

MAX_BYTES: Final = 4_000_000
"""Size at which the file is written anew: some 25,000 documents."""


class Head(NamedTuple):
    """A chain's last document: its counter, its hash (base64), and when it was made."""

    chain: str
    icv: int
    hash: str
    at: str

    @property
    def line(self) -> bytes:
        """As it is written, with a sum that shows whether all of it was."""
        text = f"{self.chain} {self.icv} {self.hash} {self.at}"
        return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def head(chain: str, icv: int, document_hash: str, at: datetime) -> Head:
    """The head of a chain that is now this document."""
    return Head(chain, icv, document_hash, iso(at))


def read_heads(path: Path) -> dict[str, Head]:
    """The last head of each chain; nothing if there is no such file. Misconfigured if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _heads(file.read())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(
            f"The head journal {path} cannot be read: {error.strerror}.", fix="Let GATEWAY_JOURNAL name a usable file."
        ) from None


def _heads(content: bytes) -> dict[str, Head]:
    heads: dict[str, Head] = {}
    for line in content.splitlines():
        found = _head(line)
        if found and (found.chain not in heads or heads[found.chain].icv <= found.icv):
            heads[found.chain] = found
    return heads


def _head(line: bytes) -> Head | None:
    text, _, check = line.decode(errors="replace").rpartition(" ")
    parts = text.split(" ")
    if check != f"{zlib.crc32(text.encode()):08x}" or len(parts) != len(Head._fields):
        return None
    chain, icv, document_hash, at = parts
    return Head(chain, int(icv), document_hash, at)


class Journal:
    """The file, open for appending. Threads that come at once share one sync; processes take turns."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._state, self._io = threading.Lock(), threading.Lock()
        self._waiting: list[Head] = []
        self._turn = self._done = 0

    def heads(self) -> dict[str, Head]:
        """The last head of each chain."""
        return read_heads(self.path)

    def record(self, *heads: Head) -> None:
        """Return once these heads are on the disk. Unavailable: they are not; they wait, and go with the next ones."""
        with self._state:
            self._waiting += heads
            mine = self._turn
        self._write(mine)

    def settle(self) -> None:
        """Return once nothing waits any more that could not be written before; Unavailable if it still cannot."""
        with self._state:
            if not self._waiting:
                return
            mine = self._turn
        self._write(mine)

    def _write(self, mine: int) -> None:
        with self._io:
            if self._done > mine:  # another has written it along with its own
                return
            with self._state:
                batch, self._waiting, self._turn = self._waiting, [], self._turn + 1
            try:
                self._append(batch)
            except OSError as error:
                with self._state:
                    self._waiting = batch + self._waiting
                raise _unwritable(self.path, error) from None
            self._done = self._turn

    def _append(self, batch: list[Head]) -> None:
        with self._locked():
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(file).st_size
                whole = not size or os.pread(file, 1, size - 1) == b"\n"
                write_all(file, (b"" if whole else b"\n") + b"".join(each.line for each in batch))
                os.fsync(file)
            finally:
                os.close(file)
            if not size:
                sync(self.path.parent)
            if size > self._max_bytes:
                self._compact()

    def _compact(self) -> None:
        """Write the file anew with one line for each chain; a crash leaves the old one or the new one."""
        lines = b"".join(each.line for each in self.heads().values())
        write_whole(self.path, lines, part=self.path.with_name(f"{self.path.name}.new"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"The head journal {path} cannot be written: {error.strerror}. What was made is kept and will be answered when"
        " the same request comes again.",
        fix="Free space on its disk, or let GATEWAY_JOURNAL name another file.",
        ar="تعذّرت كتابة سجل رؤوس السلاسل. المستند محفوظ وسيُعاد الرد عند تكرار الطلب. وفّر مساحة على القرص.",
    )
