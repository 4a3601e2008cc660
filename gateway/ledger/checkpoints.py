"""Checkpoints: how far each taxpayer's audit log and chains go, signed, in files outside the database.

Whoever can change the whole database can cut off its end and leave no trace in it; here stands how far it went. A line
is canonical JSON, a space, and a signature over what stands before the space; each line carries the hash of the one
before. Files are only appended to, one a month (UTC). What a crash left of a line counts for nothing and is taken away.
Signing and verifying are handed in.
"""

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from gateway.disk import sync, write_all, write_whole
from gateway.errors import Misconfigured, Unavailable
from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.sealing import Sealing, last_batch
from gateway.ledger.tables import AUDIT_BATCH, CHAIN

FORMAT: Final = 1
CERTIFICATE_FILE: Final = "seal.pem"
_BLOCK: Final = 65_536
_ENDING: Final = ".checkpoints"

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]


class ChainAt(NamedTuple):
    """A chain's last document: its counter and its hash (base64)."""

    chain: str
    icv: int
    hash: str


class Checkpoint(NamedTuple):
    """How far a taxpayer's log is sealed (`entries`, and number and hash of the last batch) and its chains go."""

    taxpayer: str
    entries: int
    batch: int
    hash: str
    chains: tuple[ChainAt, ...]
    at: str = ""
    """When it was written (UTC)."""


class Line(NamedTuple):
    """A line of a file: its checkpoint, or what is `wrong` with it."""

    file: str
    number: int
    digest: str
    """SHA-256 (hex) of its bytes: the next line's `previous`."""
    previous: str
    checkpoint: Checkpoint | None
    wrong: str


class Checkpointing(Sealing):
    """What there is to put into checkpoints."""

    def checkpoints_due(self, taxpayers: Iterable[str] | None = None) -> tuple[Checkpoint, ...]:
        """How far these taxpayers' books go now, or everybody's of whose log something is sealed; in a single state."""
        wanted = None if taxpayers is None else frozenset(taxpayers)
        chain = CHAIN.c
        with self._database.reading() as connection:
            owners = connection.execute(select(AUDIT_BATCH.c.taxpayer_id).distinct()).scalars().all()
            made = []
            for owner in sorted(each for each in owners if wanted is None or each in wanted):
                batch = last_batch(connection, owner)
                assert batch is not None, "its taxpayer was found by it"
                heads = select(chain.id, chain.head_icv, chain.head_hash).where(chain.taxpayer_id == owner)
                chains = tuple(ChainAt(*row) for row in connection.execute(heads.order_by(chain.id)))
                made.append(Checkpoint(owner, batch.last_seq, batch.number, batch.hash, chains))
        return tuple(made)


class CheckpointFiles:
    """The folder with the files. Processes take turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(
        self, due: Callable[[], Sequence[Checkpoint]], sign: Sign, *, key: str, certificate: str, now: datetime
    ) -> None:
        """Return once these stand on the disk. Unavailable: they do not, or not all of them; say them again later.

        `due` is asked when no other process can write, so that no line says less than the ones before.
        """
        try:
            with self._locked():
                self._keep_certificate(certificate)
                self._append(due(), sign, key, now)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def lines(self, verify: Verify, *, key: str, after: tuple[str, int] = ("", 0)) -> Iterator[Line]:
        """All lines in their order, those after line `after[1]` of file `after[0]`. Misconfigured: not readable."""
        for file in self._files():
            if file.name < after[0]:
                continue
            skipped = after[1] if file.name == after[0] else 0
            for number, line in enumerate(_readable_lines(file), 1):
                if number > skipped:
                    yield _line(file.name, number, line, verify, key)

    def newest(self, taxpayer: str) -> str:
        """The last line of a taxpayer, as it stands; empty if there is none. Misconfigured: not readable."""
        for file in reversed(self._files()):
            found = (line for line in reversed(_readable_lines(file)) if _owner(line) == taxpayer)
            if line := next(found, b""):
                return line.decode(errors="replace")
        return ""

    def line_digest(self, file: str, number: int) -> str:
        """The digest of one line as it stands; empty if there is none."""
        try:
            lines = _lines(self.folder / file)
        except OSError:
            return ""
        return hashlib.sha256(lines[number - 1]).hexdigest() if 0 < number <= len(lines) else ""

    def certificate(self) -> str:
        """The sealing certificate that lies with them (PEM); empty if there is none."""
        try:
            return (self.folder / CERTIFICATE_FILE).read_text(encoding="ascii", errors="replace")
        except OSError:
            return ""

    def written_at(self) -> datetime | None:
        """When a line was written last; None if none ever was, or the folder cannot be looked into."""
        try:
            moments = [each.stat().st_mtime for each in self._files()]
        except OSError:
            return None
        return datetime.fromtimestamp(max(moments), UTC) if moments else None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_ENDING}"))

    def _keep_certificate(self, certificate: str) -> None:
        path = self.folder / CERTIFICATE_FILE
        if path.exists():
            return
        write_whole(path, certificate.encode("ascii"), part=path.with_name(f"{CERTIFICATE_FILE}.new"))

    def _append(self, checkpoints: Sequence[Checkpoint], sign: Sign, key: str, now: datetime) -> None:
        if not checkpoints:
            return
        before = self._files()
        month = self.folder / f"{iso(now)[:7]}{_ENDING}"
        # A clock that was set back does not begin a file before the last one.
        path = max([month, *before[-1:]])
        previous = next((hashlib.sha256(last).hexdigest() for each in reversed(before) if (last := _end(each)[1])), "")
        content = b""
        for each in checkpoints:
            line = _written(each._replace(at=iso(now)), key, previous, sign)
            previous, content = hashlib.sha256(line).hexdigest(), content + line + b"\n"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.ftruncate(file, _end(path)[0])
            write_all(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        if path not in before:
            sync(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _lines(file: Path) -> list[bytes]:
    """Those that are whole."""
    return file.read_bytes().split(b"\n")[:-1]


def _readable_lines(file: Path) -> list[bytes]:
    try:
        return _lines(file)
    except OSError as error:
        raise Misconfigured(
            f"{file} cannot be read: {error.strerror}.", fix="Let whoever runs the gateway read it."
        ) from None


def _written(checkpoint: Checkpoint, key: str, previous: str, sign: Sign) -> bytes:
    content = {
        **checkpoint._asdict(),
        "format": FORMAT,
        "chains": [each._asdict() for each in checkpoint.chains],
        "key": key,
        "previous": previous,
    }
    body = canonical_json(content).encode()
    return body + b" " + base64.b64encode(sign(body))


def _owner(line: bytes) -> str:
    try:
        return str(json.loads(line.rpartition(b" ")[0])["taxpayer"])
    except (ValueError, TypeError, KeyError):
        return ""


def _line(file: str, number: int, line: bytes, verify: Verify, key: str) -> Line:
    digest = hashlib.sha256(line).hexdigest()
    body, _, signature = line.rpartition(b" ")
    try:
        content = json.loads(body)
        checkpoint, previous, by = _read(content), str(content["previous"]), content["key"]
        signed = verify(body, base64.b64decode(signature, validate=True))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Line(file, number, digest, "", None, "cannot be read")
    if by != key or not signed:
        return Line(file, number, digest, previous, None, "is not signed by this installation's sealing key")
    return Line(file, number, digest, previous, checkpoint, "")


def _read(content: dict[str, Any]) -> Checkpoint:
    chains = tuple(ChainAt(str(each["chain"]), int(each["icv"]), str(each["hash"])) for each in content["chains"])
    numbers = int(content["entries"]), int(content["batch"])
    return Checkpoint(str(content["taxpayer"]), *numbers, str(content["hash"]), chains, str(content["at"]))


def _end(path: Path) -> tuple[int, bytes]:
    """How many bytes of a file are whole lines, and the last of these; only the end of the file is read."""
    size, block = path.stat().st_size, _BLOCK
    with path.open("rb") as file:
        while True:
            start = max(size - block, 0)
            file.seek(start)
            whole, newline, _ = file.read(size - start).rpartition(b"\n")
            if b"\n" in whole or not start:
                return (start + len(whole) + 1 if newline else 0), whole.rpartition(b"\n")[2]
            block *= 4


def _unwritable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"No checkpoint of the audit log can be written to {folder}: {error.strerror}. Documents are still made.",
        fix="Free space on its disk, or let GATEWAY_CHECKPOINTS name another folder; what is missing then follows.",
        ar="تعذّرت كتابة نقاط التحقق من سجل التدقيق. يستمر إصدار المستندات؛ وفّر مساحة على القرص وستُكتب تلقائياً.",
    )
