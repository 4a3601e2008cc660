"""The chain and the audit log, walked: nothing may be missing, put in, or in another place than it was."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.verifier.report import Fault

FIRST_PIH = "NWZlY2ViNjZmZmM4NmYzOGQ5NTI3ODZjNmQ2OTZjNzljMmRiYzIzOWRkNGU5MWI0NjcyOWQ3M2EyN2ZiNTdlOQ=="
"""What the first document of a chain carries: base64 of the hex text of SHA-256("0") (BR-KSA-26)."""
ISSUED = "document.issued"
TOLERANCE = timedelta(hours=1)
"""How much later than `made_at` what was read at the beginning may be: documents are made meanwhile, the log is sealed
first, and several machines may be at work."""


def canonical(value: Any) -> bytes:
    """JSON in its one spelling: keys sorted, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")


def lines_of(data: bytes) -> list[dict[str, Any]]:
    """JSON objects, one a line; ValueError if one is none."""
    if data and not data.endswith(b"\n"):
        raise ValueError("its last line is cut off")
    found = [json.loads(line) for line in data.splitlines()]
    if not all(isinstance(each, dict) for each in found):
        raise ValueError("a line is no JSON object")
    return found


class Latest:
    """The latest moment of one kind of thing in a package, and where it stands."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._part = ""

    def saw(self, text: Any, part: str) -> None:
        """A moment as the package has it; one that cannot be read is none, which is said of what it belongs to."""
        at = moment_of(text)
        if at is not None and (self._at is None or at > self._at):
            self._at, self._part = at, part

    def beyond(self, said: Any, what: str) -> Iterator[Fault]:
        """The fault, if it is later than a moment by which the package says it was there."""
        limit = moment_of(said)
        if limit is not None and self._at is not None and self._at - limit > TOLERANCE:
            yield Fault("manifest.time", self._part, f"It is of {self._at.isoformat()}, {what} {said}.")


def moment_of(text: Any) -> datetime | None:
    """A moment with its zone, None if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo else None


class Chain:
    """A chain as its links are read: each has to follow from the one before, and the last to be the head."""

    def __init__(self, about: dict[str, Any], noted: dict[int, str]) -> None:
        self.id, self._about, self._noted = str(about["id"]), about, noted
        self._icv, self._pih, self._documents = 1, FIRST_PIH, 0
        self.is_read = True
        """Whether every part could be read so far: after a gap in what was read nothing is said of its ends."""

    def follow(self, part: str, links: list[dict[str, Any]]) -> Iterator[Fault]:
        """The faults in the order of these links."""
        for link in links:
            here = f"{part}, ICV {link['icv']}"
            if self.is_read and link["icv"] != self._icv:
                yield Fault("chain.break", here, f"Counter {self._icv} was due.")
            elif self.is_read and link["pih"] != self._pih:
                yield Fault("chain.break", here, "It does not carry the hash of the document before.")
            if self._noted.get(link["icv"], link["hash"]) != link["hash"]:
                yield Fault("audit.checkpoint", here, "The checkpoint has another hash for it.")
            self.is_read = True
            self._icv, self._pih = link["icv"] + 1, link["hash"]
            self._documents += link["file"] is not None

    def skip(self) -> None:
        """A part of the chain could not be read, which was said already."""
        self.is_read = False
        self._documents = -1_000_000_000

    def end(self) -> Iterator[Fault]:
        """What is wrong of the end."""
        if not self.is_read:
            return
        head = self._about["head"]
        if self._noted and max(self._noted) > head["icv"]:
            yield Fault("audit.checkpoint", f"chain {self.id}", f"It went to {max(self._noted)}, now to {head['icv']}.")
        if (self._icv - 1, self._pih) != (head["icv"], head["hash"]):
            yield Fault("chain.head", f"chain {self.id}", f"It ends at {self._icv - 1}, the head is {head['icv']}.")
        if self._documents >= 0 and self._documents != self._about["documents"]:
            counted = self._about["documents"]
            yield Fault("chain.count", f"chain {self.id}", f"{self._documents} are here, {counted} are counted.")


class Batches:
    """The batches by which the log was sealed, each carrying the hash of the one before."""

    def __init__(self, about: dict[str, Any], taxpayer: str) -> None:
        self._taxpayer, self._number, self._hash = taxpayer, about["first_batch"], about["before_batch"]
        self._is_empty, self._first = not about["entries"], self._number
        self.is_read = True
        self.ends: dict[int, str] = {}
        """The hash of the log at the entry that each of them ends with."""
        self._seals: dict[int, tuple[int, str]] = {}  # of each number the last entry and the hash

    def follow(self, part: str, batches: list[dict[str, Any]]) -> Iterator[Fault]:
        """The faults of these batches."""
        for batch in batches:
            content = {"taxpayer": self._taxpayer, **{name: batch[name] for name in batch if name != "hash"}}
            follows = (batch["number"], batch["previous"]) == (self._number, self._hash) or not self.is_read
            if not follows or batch["hash"] != hashlib.sha256(canonical(content)).hexdigest():
                yield Fault("audit.batch", f"{part}, batch {batch['number']}", "")
            self.is_read = True
            self._number, self._hash = batch["number"] + 1, batch["hash"]
            self.ends[batch["last_seq"]] = batch["digest"]
            self._seals[batch["number"]] = (batch["last_seq"], batch["hash"])

    def agrees(self, number: int, last_seq: int, seal: str) -> bool:
        """Whether a batch is this one; of those before the package begins, or not read, nothing is known."""
        if self._is_empty or number < self._first or not self.is_read:
            return True
        return self._seals.get(number) == (last_seq, seal)

    def skip(self) -> None:
        """A part could not be read, which was said already."""
        self.is_read = False


def read_checkpoint(line: bytes, certificate: x509.Certificate) -> dict[str, Any]:
    """What a checkpoint says: JSON, a space, and a signature over it; ValueError if it is not by this certificate."""
    body, _, signature = line.rstrip(b"\n").rpartition(b" ")
    said, key = json.loads(body), certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or said["key"] != certificate.fingerprint(SHA256()).hex():
        raise ValueError("it names another key than that of the seal")
    try:
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise ValueError("its signature does not verify") from None
    return dict(said)


class AuditLog:
    """The audit log as it is read. Every entry's hash covers all before it."""

    def __init__(self, about: dict[str, Any], taxpayer: str, ends: dict[int, str]) -> None:
        self._about, self._taxpayer, self._ends = about, taxpayer, ends
        self._seq, self._hash = about["first"], about["previous"]
        self.entries = 0
        self.is_read = True
        self.latest = Latest()
        self.issued: dict[str, tuple[Any, Any, str]] = {}
        """Counter, hash and moment that the log has of each document, by UUID."""

    def follow(self, part: str, entries: list[dict[str, Any]]) -> Iterator[Fault]:
        """The faults of these entries."""
        for entry in entries:
            here = f"{part}, entry {entry['seq']}"
            if self.is_read and entry["seq"] != self._seq:
                yield Fault("audit.break", here, f"Entry {self._seq} was due.")
            if self.is_read and entry["hash"] != self._chained(entry):
                yield Fault("audit.break", here, "It, or one before it, was changed: its hash does not fit.")
            if self._ends.get(entry["seq"], entry["hash"]) != entry["hash"]:
                yield Fault("audit.batch", here, "The batch that ends here has another hash.")
            self.is_read = True
            self._seq, self._hash = entry["seq"] + 1, entry["hash"]
            self.entries += 1
            self.latest.saw(entry["at"], here)
            if entry["action"] == ISSUED:
                self.issued[entry["object"]] = (entry["detail"].get("icv"), entry["detail"].get("hash"), entry["at"])

    def skip(self) -> None:
        """A part of the log could not be read, which was said already."""
        self.is_read = False

    def end(self) -> Iterator[Fault]:
        """What is wrong of the end."""
        if self.is_read and (self._seq - 1, self._hash) != (self._about["last"], self._about["head"]):
            yield Fault("audit.break", "audit", f"It ends at {self._seq - 1}, {self._about['last']} was due.")

    def _chained(self, entry: dict[str, Any]) -> str:
        content = {name: entry[name] for name in ("seq", "at", "actor", "action", "object", "detail")}
        content |= {"taxpayer": self._taxpayer, "previous": self._hash}
        return hashlib.sha256(canonical(content)).hexdigest()
