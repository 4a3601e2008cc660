"""The package as a container: a ZIP in which not a byte is left to chance, or the folder it was unpacked to.

Every package is written in one form: entries one after the other, fixed times, no comments, no gaps. So headers can be
made anew from what they say and compared, and a byte that nothing hashes is noticed too.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gateway.verifier.report import Fault

STORED, DEFLATED = 0, 8
MOST_UNPACKED = 200_000_000
"""Largest entry that is unpacked, in bytes. Lists and tables, which grow with the books, are not packed."""
MOST_READ = 4_000_000_000
"""Largest file that is read at all."""

_LOCAL, _CENTRAL = struct.Struct("<4sHHHHHIIIHH"), struct.Struct("<4sHHHHHHIIIHHHHHII")
_END, _END64, _LOCATOR = struct.Struct("<4sHHHHIIH"), struct.Struct("<4sQHHIIQQQQ"), struct.Struct("<4sIQI")
_UTF8, _DAY = 0x0800, 0x0021  # names are UTF-8; 1 January 1980, the first day a ZIP knows
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF


class Entry(NamedTuple):
    """A file in the container: where its header begins, how it is packed, and what its header says of it."""

    name: str
    offset: int
    method: int
    crc: int
    packed: int
    size: int

    @property
    def data_at(self) -> int:
        """Where its bytes begin."""
        return self.offset + _LOCAL.size + len(self.name.encode())

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.data_at + self.packed


def local_header(entry: Entry) -> bytes:
    """What stands before an entry's bytes."""
    name = entry.name.encode()
    sizes = (entry.crc, entry.packed, entry.size)
    return _LOCAL.pack(b"PK\3\4", 20, _UTF8, entry.method, 0, _DAY, *sizes, len(name), 0) + name


def central_record(entry: Entry) -> bytes:
    """What the directory at the container's end says of an entry."""
    name, is_far = entry.name.encode(), entry.offset >= _FULL32
    extra = struct.pack("<HHQ", 1, 8, entry.offset) if is_far else b""
    version, offset = (45, _FULL32) if is_far else (20, entry.offset)
    sizes = (entry.crc, entry.packed, entry.size)
    mode = 0o100644 << 16
    head = (b"PK\1\2", 0x0300 | version, version, _UTF8, entry.method, 0, _DAY, *sizes)
    return _CENTRAL.pack(*head, len(name), len(extra), 0, 0, 0, mode, offset) + name + extra


def end_record(count: int, at: int, size: int) -> bytes:
    """The container's last bytes; where its numbers are too large for a ZIP of old, in the form for large ones too."""
    few, near = min(count, _FULL16), min(at, _FULL32)
    end = _END.pack(b"PK\5\6", 0, 0, few, few, min(size, _FULL32), near, 0)
    if few < _FULL16 and near < _FULL32:
        return end
    large = _END64.pack(b"PK\6\6", 44, 0x0300 | 45, 45, 0, 0, count, count, size, at)
    return large + _LOCATOR.pack(b"PK\6\7", 0, at + size, 1) + end


class Zip:
    """A package in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self.length = self._file.seek(0, 2)
        self.entries: dict[str, Entry] = {}
        self.faults = list(self._read())

    def read(self, name: str) -> bytes:
        """A file's bytes; ValueError if they cannot be unpacked or are not those that were packed."""
        return read_entry(self._file, self.entries[name])

    def packed(self, name: str) -> bytes:
        """The bytes as they lie in the container."""
        return packed_bytes(self._file, self.entries[name])

    def _at(self, offset: int, size: int) -> bytes:
        at = min(max(offset, 0), self.length)  # whatever a directory claims
        self._file.seek(at)
        return self._file.read(min(max(size, 0), self.length - at))

    def _read(self) -> Iterator[Fault]:
        found, start, is_whole = self._directory()
        if not is_whole:
            found, start = self._walked()
        end = 0
        for entry in found:
            if entry.name in self.entries:
                yield Fault("file.added", entry.name, "It is in the package twice.")
            if end <= entry.offset and entry.end <= self.length:  # else one byte could be unpacked as a million files
                self.entries[entry.name], end = entry, entry.end
        yield from self._headers(found)
        yield from self._gaps(found, start)
        yield from self._directory_faults(found, start)

    def _directory(self) -> tuple[list[Entry], int, bool]:
        """The entries by the directory, where it begins, and whether it could be read to its end."""
        place = self._directory_place()
        if place is None:
            return [], 0, False
        start, size = place
        directory, found, at = self._at(start, size), [], 0
        try:
            while at < len(directory):
                entry, at = _central_entry(directory, at)
                found.append(entry)
        except (struct.error, ValueError):
            return [], 0, False
        return found, start, self._at(start + size, self.length) == end_record(len(found), start, size)

    def _directory_place(self) -> tuple[int, int] | None:
        end = self._at(self.length - _END.size, _END.size)
        if len(end) < _END.size or not end.startswith(b"PK\5\6"):
            return None
        *_, count, size, start, _comment = _END.unpack(end)
        if count == _FULL16 or start == _FULL32:
            large = self._at(self.length - _END.size - _LOCATOR.size - _END64.size, _END64.size)
            if len(large) < _END64.size or not large.startswith(b"PK\6\6"):
                return None
            *_, size, start = _END64.unpack(large)
        return (start, size) if start + size <= self.length else None

    def _walked(self) -> tuple[list[Entry], int]:
        """The entries by their own headers, as far as one follows another."""
        found: list[Entry] = []
        at = 0
        while True:
            head = self._at(at, _LOCAL.size)
            if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
                return found, at
            _, _, _, method, _, _, crc, packed, size, length, extra = _LOCAL.unpack(head)
            name = self._at(at + _LOCAL.size, length).decode(errors="replace")
            entry = Entry(name, at, method, crc, packed, size)
            if extra or entry.end > self.length:
                return found, at
            found.append(entry)
            at = entry.end

    def _headers(self, found: list[Entry]) -> Iterator[Fault]:
        for entry in found:
            if self._at(entry.offset, entry.data_at - entry.offset) != local_header(entry):
                yield Fault("container.header", entry.name, "The header before it.")

    def _gaps(self, found: list[Entry], start: int) -> Iterator[Fault]:
        at = 0
        for entry in found:
            if entry.offset != at:
                yield Fault("container.gap", entry.name, f"It begins at byte {entry.offset}, {at} was due.")
            at = entry.end
        if at != start:
            yield Fault("container.gap", self.path.name, f"Between its files and its directory, at byte {at}.")

    def _directory_faults(self, found: list[Entry], start: int) -> Iterator[Fault]:
        """The directory, compared with the one that these files would have."""
        at, wrong = start, 0
        for entry in found:
            record = central_record(entry)
            if self._at(at, len(record)) != record and not wrong:
                wrong = at
            at += len(record)
        end = end_record(len(found), start, at - start)
        if at + len(end) > self.length or not self._at(start, 4).startswith(b"PK\1\2"):
            last = found[-1].name if found else "nothing"
            yield Fault("container.directory", self.path.name, f"It is cut off or damaged after {last}.")
        elif wrong:
            yield Fault("container.header", self._at_record(found, start, wrong), "Its record in the directory.")
        elif self._at(at, self.length) != end:
            yield Fault("container.directory", self.path.name, f"Its last bytes, from {at} on.")

    @staticmethod
    def _at_record(found: list[Entry], at: int, wanted: int) -> str:
        """The file whose record stands at this byte of the directory."""
        for entry in found:
            if at == wanted:
                return entry.name
            at += len(central_record(entry))
        return ""


def _central_entry(directory: bytes, at: int) -> tuple[Entry, int]:
    fields = _CENTRAL.unpack_from(directory, at)
    if fields[0] != b"PK\1\2":
        raise ValueError("no record of a directory")
    method, crc, packed, size, length, extra, comment, offset = (fields[i] for i in (4, 7, 8, 9, 10, 11, 12, 16))
    name_at = at + _CENTRAL.size
    end = name_at + length + extra + comment
    name = directory[name_at : name_at + length].decode()
    if offset == _FULL32:
        offset = struct.unpack_from("<HHQ", directory, name_at + length)[2]
    if end > len(directory):
        raise ValueError("a record is cut off")
    return Entry(name, offset, method, crc, packed, size), end


def packed_bytes(file: BinaryIO, entry: Entry) -> bytes:
    """An entry's bytes as they lie in an open container."""
    file.seek(entry.data_at)
    return file.read(entry.packed)


def read_entry(file: BinaryIO, entry: Entry) -> bytes:
    """An entry's bytes; ValueError if they cannot be unpacked or are not those that were packed."""
    return unpacked(entry, packed_bytes(file, entry))


def unpacked(entry: Entry, data: bytes) -> bytes:
    """What was packed as these bytes; ValueError if they are others."""
    if entry.method not in (STORED, DEFLATED) or (entry.method == DEFLATED and entry.size > MOST_UNPACKED):
        raise ValueError("it is packed in no way that is used here")
    if entry.method == DEFLATED:
        inflate = zlib.decompressobj(-15)
        try:
            data = inflate.decompress(data, entry.size + 1)
        except zlib.error as error:
            raise ValueError(f"it cannot be unpacked: {error}") from None
        if not inflate.eof or inflate.unused_data:
            raise ValueError("its packed bytes do not end where they should")
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise ValueError("its bytes are not those that were packed")
    return data


def file_bytes(path: Path) -> bytes:
    """A file's bytes; ValueError if they cannot be read, are too many, or would come from elsewhere by a link."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_READ:
            raise ValueError("it is no file of this folder, or far too large")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None


class Folder:
    """A package that was unpacked: the files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        files = sorted(each for each in path.rglob("*") if each.is_file() or each.is_symlink())
        self.entries = {each.relative_to(path).as_posix(): Entry("", 0, STORED, 0, 0, 0) for each in files}
        self.faults: list[Fault] = []

    def read(self, name: str) -> bytes:
        """A file's bytes; ValueError if they cannot be read."""
        return file_bytes(self.path / name)

    def packed(self, name: str) -> None:
        """It is not packed."""


def open_package(path: Path) -> Zip | Folder:
    """A package; OSError if it cannot be opened."""
    return Folder(path) if path.is_dir() else Zip(path)
