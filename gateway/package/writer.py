"""Writes a package so that it can be interrupted anywhere, and goes on: with the same bytes, in little memory.

Beside the package, which is called .part until it is whole, lies a log: a line for each file that is in, and marks of
how far the work was. What is not before a mark that is on the disk is written again. A library for ZIP files cannot
go on in the middle of one, and keeps all names in memory.
"""

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from gateway.disk import sync
from gateway.errors import Conflict, Unavailable
from gateway.verifier.books import canonical
from gateway.verifier.container import DEFLATED, STORED, Entry, central_record, end_record, local_header
from gateway.verifier.verify import FILES

_LARGEST: Final = 0xFFFFFFFF
_CHUNK: Final = 1 << 20
_LEVEL: Final = 6


class Writer:
    """One package under way. `head` is what it was begun with, `state` what the last mark said, empty at first."""

    def __init__(self, path: Path, head: Mapping[str, Any], *, anew: bool = False) -> None:
        """Begin a package, or go on with one that was interrupted: `head` is then that of before.

        Conflict: the package is there already, another process is writing it, or something else was begun under this
        name: `anew` drops that. Unavailable: it cannot be written.
        """
        self.path = path
        self._part, self._log_path, self._rows_path = (
            path.with_name(f"{path.name}.{end}") for end in ("part", "part.log", "part.rows")
        )
        self.state: dict[str, Any] = {}
        if path.exists():
            raise Conflict(f"{path} exists already.", fix="Give the package another name, or move that one away.")
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._log = _opened(self._log_path)
            self._lock()
            if anew:
                self._log.truncate(0)
            self.head = self._resumed(dict(head))
            self._out, self._rows = _opened(self._part), _opened(self._rows_path)
            if self._part.stat().st_size < self._offset or self._rows_path.stat().st_size < self.state.get("rows", 0):
                self._begin(dict(head))  # what the log is about is gone
            _cut(self._out, self._offset)
            _cut(self._rows, self.state.get("rows", 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._out, self._rows, self._log):
            with suppress(OSError):  # what could not be written is after the last mark, and was complained of
                file.close()

    @property
    def goes_on(self) -> bool:
        """Whether this was begun before."""
        return bool(self.state)

    @property
    def _offset(self) -> int:
        return int(self.state.get("offset", 0))

    def add(self, name: str, content: bytes, *, is_listed: bool = True, is_packed: bool = True) -> None:
        """Put a file in."""
        packed = _deflated(content) if is_packed else content
        is_packed = is_packed and len(packed) < len(content)
        data = packed if is_packed else content
        offset = self._out.tell()
        method = DEFLATED if is_packed else STORED
        entry = Entry(name, offset, method, zlib.crc32(content), len(data), len(content))
        digests = hashlib.sha256(content).hexdigest(), hashlib.sha256(data).hexdigest() if is_packed else ""
        with self._explained():
            self._out.write(local_header(entry) + data)
            self._note(entry, digests, is_listed=is_listed)

    def add_from(self, name: str, file: Path, *, is_listed: bool = True) -> str:
        """Put in a file that lies on the disk, as it is; its SHA-256."""
        crc, size, digest = 0, 0, hashlib.sha256()
        with self._explained(), file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                crc, size = zlib.crc32(chunk, crc), size + len(chunk)
                digest.update(chunk)
            assert size < _LARGEST, "lists stay below 4 GB"
            entry = Entry(name, self._out.tell(), STORED, crc, size, size)
            self._out.write(local_header(entry))
            source.seek(0)
            while chunk := source.read(_CHUNK):
                self._out.write(chunk)
            self._note(entry, (digest.hexdigest(), ""), is_listed=is_listed)
        return digest.hexdigest()

    def add_row(self, row: bytes) -> None:
        """Add to the index that is put in at the end, by `add_rows`."""
        with self._explained():
            self._rows.write(row)

    def add_rows(self, name: str) -> None:
        """Put the index in."""
        with self._explained():
            self._rows.flush()
        self.add_from(name, self._rows_path)

    def mark(self, state: Mapping[str, Any]) -> None:
        """What is in now is safe, and `state` says how to go on from here."""
        with self._explained():
            for file in (self._out, self._rows):
                file.flush()
                os.fsync(file.fileno())
            self.state = {**state, "offset": self._out.tell(), "rows": self._rows.tell()}
            self._line({"mark": self.state})
            self._log.flush()
            os.fsync(self._log.fileno())

    def add_list(self) -> dict[str, Any]:
        """Put in the list of all files that are listed; what the manifest says of it."""
        lines = self.path.with_name(f"{self.path.name}.part.files")
        count = 0
        with self._explained():
            self._log.flush()
            with lines.open("wb") as listed:
                for entry, (sha256, packed), is_listed in self._entries():
                    if is_listed:
                        more = {"packed": packed} if packed else {}
                        listed.write(canonical({"path": entry.name, "sha256": sha256, "size": entry.size, **more}))
                        listed.write(b"\n")
                        count += 1
        digest = self.add_from(FILES, lines, is_listed=False)
        lines.unlink()
        return {"path": FILES, "sha256": digest, "count": count}

    def finish(self) -> None:
        """Write the directory and give the package its name."""
        with self._explained():
            self._log.flush()
            start, count = self._out.tell(), 0
            for entry, _, _ in self._entries():
                self._out.write(central_record(entry))
                count += 1
            self._out.write(end_record(count, start, self._out.tell() - start))
            self._out.flush()
            os.fsync(self._out.fileno())
            self._part.rename(self.path)
            sync(self.path.parent)
            self._rows_path.unlink()
            self._log_path.unlink()

    def drop(self) -> None:
        """Leave nothing of what was begun."""
        for path in (self._part, self._rows_path, self._log_path):
            path.unlink(missing_ok=True)

    # --- the log ------------------------------------------------------------------------------------------------------

    def _note(self, entry: Entry, digests: tuple[str, str], *, is_listed: bool) -> None:
        self._line({"file": [*entry, *digests, is_listed]})

    def _line(self, value: Any) -> None:
        self._log.write(canonical(value) + b"\n")

    def _entries(self) -> Iterator[tuple[Entry, tuple[str, str], bool]]:
        with self._log_path.open("rb") as log:
            for line in log:
                fields = json.loads(line).get("file")
                if fields:
                    *entry, sha256, packed, is_listed = fields
                    yield Entry(*entry), (sha256, packed), is_listed

    def _lock(self) -> None:
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{self.path} is being written by another process.", fix="Wait for it.") from None

    def _resumed(self, head: dict[str, Any]) -> dict[str, Any]:
        """Read the log up to its last mark, cut off the rest, and give the head that it begins with."""
        first, good, at = None, 0, 0
        for line in self._log:
            at += len(line)
            value = _json(line)
            if value is None:
                break
            first = first or value
            if "mark" in value:
                self.state, good = value["mark"], at
        if first is None or not good:
            self._begin(head)
            return head
        begun = dict(first.get("head", {}))
        if begun.get("what") != head.get("what"):
            raise Conflict(
                f"Another package was begun as {self.path} and is not whole.",
                fix="Repeat that command to go on with it, or add --anew to drop it.",
            )
        _cut(self._log, good)
        return begun

    def _begin(self, head: dict[str, Any]) -> None:
        _cut(self._log, 0)
        self.state, self.head = {}, head
        self._line({"head": head})

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be written: {error.strerror}.",
                fix="Free space on its disk and repeat the command: it goes on where it stopped.",
                ar="تعذّرت كتابة الحزمة. وفّر مساحة ثم أعد الأمر نفسه ليستأنف من حيث توقف.",
            ) from None


def _opened(path: Path) -> IO[bytes]:
    """A file to go on in, readable by its owner only: documents name people."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def _cut(file: IO[bytes], size: int) -> None:
    file.seek(size)
    file.truncate()


def _json(line: bytes) -> dict[str, Any] | None:
    """A line of the log; None if a crash came while it was written."""
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _deflated(content: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush()
