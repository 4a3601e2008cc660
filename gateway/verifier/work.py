"""The work of one process: documents of a chain and other files of a package, examined some at a time."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.verifier.container import DEFLATED, Entry, file_bytes, packed_bytes, unpacked
from gateway.verifier.report import Fault
from gateway.verifier.stamps import Key, answer_faults, document_faults, key_of, link_faults


class Part(NamedTuple):
    """A file as it is listed, and where it lies."""

    name: str
    sha256: str
    packed: str
    entry: Entry


class Batch(NamedTuple):
    """Work for one process: links of a chain, with the files that they name; or other files."""

    segment: str
    chain: str
    links: list[dict[str, Any]]
    parts: dict[str, Part]


class Found(NamedTuple):
    """What came of a batch: faults, and the certificates (base64) that cleared documents are stamped with."""

    faults: list[Fault]
    clearing: set[str]


class Worker:
    """Examines batches, here or in another process: it opens the package by itself."""

    def __init__(self, path: Path, certificates: dict[str, tuple[str | None, bytes]], vat: str) -> None:
        self._path, self._certificates, self._vat = path, certificates, vat
        self._file = None if path.is_dir() else path.open("rb")

    def examine(self, batch: Batch) -> Found:
        """What is wrong with these links and files."""
        found, left = Found([], set()), dict(batch.parts)
        for link in batch.links:
            # Of one document at a time, for there may be a great deal in a file.
            contents = {name: self.content(left.pop(name), found) for name in named(link) if name in left}
            try:
                found.faults.extend(self._link(link, batch, contents, found))
            except Exception as error:  # noqa: BLE001 - whatever is made of a document, it is that one that is wrong
                part = link["file"]["path"] if link["file"] else f"{batch.segment}, ICV {link['icv']}"
                found.faults.append(Fault("file.unreadable", part, f"It has another form ({type(error).__name__})."))
        for part in left.values():
            self.content(part, found)
        return found

    def _link(
        self, link: dict[str, Any], batch: Batch, contents: dict[str, bytes | None], found: Found
    ) -> Iterator[Fault]:
        chain, der = self._certificates.get(link["csid"], (None, None))
        unit = _key(der) if der else None
        if der != b"":
            yield from link_faults(link, batch.segment, unit, chain, batch.chain)
        xml = contents.get(link["file"]["path"]) if link["file"] else None
        if xml is None:
            return
        yield from document_faults(link, xml, unit, self._vat)
        answers = {each["path"]: contents.get(each["path"]) for each in link["answers"] if each["path"]}
        whole = {path: content for path, content in answers.items() if content is not None}
        if len(whole) == len(answers):
            yield from answer_faults(link, xml, whole)
        if link["cleared"]:
            start = xml.find(b"X509Certificate>") + len(b"X509Certificate>")
            found.clearing.add(xml[start : xml.find(b"<", start)].decode(errors="replace"))

    def content(self, part: Part, found: Found) -> bytes | None:
        """A file's bytes if they are those that are listed."""
        try:
            content = self._read(part)
        except (ValueError, OSError) as error:
            found.faults.append(Fault("file.changed", part.name, f"{error}."))
            return None
        if hashlib.sha256(content).hexdigest() != part.sha256:
            found.faults.append(Fault("file.changed", part.name, "Its SHA-256 differs."))
            return None
        return content

    def _read(self, part: Part) -> bytes:
        if self._file is None:
            return file_bytes(self._path / part.name)
        data = packed_bytes(self._file, part.entry)
        if part.entry.method == DEFLATED and hashlib.sha256(data).hexdigest() != part.packed:
            raise ValueError("its packed bytes differ")
        return unpacked(part.entry, data)


def named(link: dict[str, Any]) -> list[str]:
    """The files that a place in the chain names: the document, its PDF, the answers."""
    files = [link["file"], link["pdf"], *link["answers"]] if link["file"] else []
    return [each["path"] for each in files if each and each["path"]]


def _key(der: bytes) -> Key | None:
    try:
        return key_of(der)
    except ValueError:
        return None


_worker: Worker | None = None


def start_worker(path: Path, certificates: dict[str, tuple[str | None, bytes]], vat: str) -> None:
    """What a process begins with."""
    global _worker
    _worker = Worker(path, certificates, vat)


def examine_there(batch: Batch) -> Found:
    """A batch in the process this runs in."""
    assert _worker is not None, "a process starts with its worker"
    return _worker.examine(batch)
