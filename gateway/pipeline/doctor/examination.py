"""Walks the whole of an installation's books and says what is wrong, where, and what to do.

Chains and documents first, each proved from its stored bytes; then the audit log, and what it says of documents; then
rows that belong to nothing, sums, files. One that is told to go on from the last proves only what is new of
chains and audit logs: bookmarks in the ledger say how far it was sound. They spare time and are no proof.
"""

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

from gateway.archive import Store
from gateway.chain import Link, Linked, first_link, walk
from gateway.errors import Unavailable
from gateway.ledger import ChainHead, CheckpointFiles, Head, Kept, Ledger, read_heads
from gateway.pipeline.doctor.examine import examine, where
from gateway.pipeline.doctor.outside import Outside
from gateway.pipeline.doctor.recorded import Reader
from gateway.pipeline.doctor.shelves import archive_symptoms
from gateway.pipeline.doctor.sums import beyond_sums
from gateway.pipeline.doctor.symptoms import Symptom, symptom
from gateway.settings import Settings

LAST: Final = "last"
Since = datetime | Literal["last"] | None
"""From where chains are walked: their beginning, what was made since a moment, or where the last examination ended."""

_MARK_EVERY: Final = 25
"""Batches between two bookmarks."""
_SOUND_SQLITE: Final = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


@dataclass
class Examination:
    """One examination: what to look at, and, as it goes on, how much was seen."""

    ledger: Ledger
    settings: Settings
    since: Since = None
    jobs: int = 1
    whole_files: bool = False
    """Whether the checkpoints outside are read from their beginning in any case."""
    tell: Callable[[int], None] = lambda count: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    archive: Store | None = None
    documents: int = field(default=0, init=False)
    entries: int = field(default=0, init=False)
    checkpoints: int = field(default=0, init=False)
    chains: int = field(default=0, init=False)

    @property
    def seen(self) -> dict[str, int]:
        """How much was seen so far."""
        return {"chains": self.chains, "documents": self.documents, "entries": self.entries}

    def symptoms(self) -> Iterator[Symptom]:
        """Everything that is wrong, as it is found. Unavailable or Misconfigured: it could not be looked at."""
        heads = read_heads(self.settings.journal_file)  # first: it is never ahead of the ledger
        yield from self._journal(heads)
        with _workers(self.jobs) as workers:
            for chain in self.ledger.every_chain():
                self.chains += 1
                yield from self._chain(chain, workers)
        for owner in self.ledger.owners():
            reader = Reader(self.ledger, owner, goes_on=self.since is not None, now=self.now())
            yield from reader.symptoms()
            self.entries += reader.entries
        outside = Outside(
            self.ledger,
            CheckpointFiles(self.settings.checkpoints_folder),
            goes_on=self.since is not None and not self.whole_files,
            now=self.now(),
        )
        yield from outside.symptoms()
        self.checkpoints = outside.lines
        for loose in self.ledger.loose_ends(self.now()):
            yield symptom(loose.code, {"taxpayer": loose.taxpayer_id, "row": loose.key})
        yield from beyond_sums(self.ledger)
        if self.archive is not None:
            yield from archive_symptoms(self.ledger, self.archive, self.now(), reads=self.since is None)
        yield from file_symptoms(self.ledger, self.settings)

    def _journal(self, heads: Mapping[str, Head]) -> Iterator[Symptom]:
        """Documents that the head journal knows and the ledger does not."""
        fenced = {each.chain for each in self.ledger.fenced()}
        for chain in self.ledger.every_chain():
            known = heads.get(chain.id)
            if known and self.ledger.hash_at(chain.id, known.icv) != known.hash:
                code = "chain.fenced" if chain.id in fenced else "chain.journal"
                yield symptom(code, {**_place(chain), "icv": known.icv}, there=known.icv)

    def _chain(self, chain: ChainHead, workers: "_Workers") -> Iterator[Symptom]:
        due, lost = self._beginning(chain)
        if lost:
            yield symptom("bookmark.lost", {**_place(chain), "icv": lost}, icv=lost)
        strand = _Strand(self.ledger, chain, due)
        for batch, found in workers.examined(self.ledger.kept(chain.id, due.icv - 1)):
            strand.sound = strand.sound and not any(found)
            for each in found:
                yield from each
            yield from strand.follow(batch)
            self.documents += len(batch)
            self.tell(len(batch))
        yield from strand.end()

    def _beginning(self, chain: ChainHead) -> tuple[Link, int]:
        """The place to begin a chain at, and where the last one ended if the document there is another now."""
        if self.since is None:
            return first_link(), 0
        if isinstance(self.since, datetime):
            before = self.ledger.last_before(chain.id, self.since)
            hash_before = self.ledger.hash_at(chain.id, before)
            return (Link(before + 1, hash_before), 0) if hash_before else (first_link(), 0)
        kept = read_bookmark(self.ledger, chain.id)
        if kept is None:
            return first_link(), 0
        icv, hash_there = kept
        if self.ledger.hash_at(chain.id, icv) == hash_there:
            return Link(icv + 1, hash_there), 0
        return first_link(), icv


class _Strand:
    """A chain as it is walked: that each document follows from the one before, and that the last is the head."""

    def __init__(self, ledger: Ledger, chain: ChainHead, due: Link) -> None:
        self._ledger, self._chain, self._due, self._batches = ledger, chain, due, 0
        self._made_at = ""
        self.sound = True
        """Whether nothing was found yet: bookmarks never pass what is wrong."""

    def follow(self, batch: list[Kept]) -> Iterator[Symptom]:
        """What is wrong of the order of these documents."""
        found = [*self._links(batch), *self._moments(batch)]
        self.sound = self.sound and not found
        self._due = Link(batch[-1].icv, batch[-1].pih).next(batch[-1].hash)
        self._batches += 1
        if self.sound and self._batches % _MARK_EVERY == 0:
            self._mark()
        yield from found

    def end(self) -> Iterator[Symptom]:
        """What is wrong of the chain's end."""
        last, chain = Link(self._due.icv - 1, self._due.pih), self._chain
        head = Link(chain.head_icv, chain.head_hash)
        if last.icv != head.icv:  # documents were made meanwhile, or the chain is not whole
            now = {each.id: each for each in self._ledger.every_chain()}[chain.id]
            ends = self._ledger.hash_at(chain.id, now.head_icv) if now.head_icv else now.head_hash
            grown = now.head_icv >= last.icv >= head.icv and ends == now.head_hash
            head = last if grown else Link(now.head_icv, now.head_hash)
        if last != head:
            yield symptom("chain.head", {**_place(chain), "icv": last.icv}, last=last.icv, head=head.icv)
        elif self.sound and last.icv:
            self._mark()

    def _links(self, batch: list[Kept]) -> Iterator[Symptom]:
        at = {each.icv: each for each in batch}
        for each in walk((Linked(Link(kept.icv, kept.pih), kept.hash) for kept in batch), self._due):
            kept = at[each.found.link.icv]
            yield symptom("chain.break", {**where(kept), "icv": each.icv}, what=each.why, icv=each.icv)

    def _moments(self, batch: list[Kept]) -> Iterator[Symptom]:
        for kept in batch:
            if kept.made_at < self._made_at:
                yield symptom("chain.time", where(kept), made_at=kept.made_at)
            self._made_at = kept.made_at

    def _mark(self) -> None:
        place = {"icv": self._due.icv - 1, "hash": self._due.pih}
        self._ledger.put_mark(_bookmark(self._chain.id), json.dumps(place))


def _place(chain: ChainHead) -> dict[str, str | int]:
    return {"taxpayer": chain.taxpayer_id, "chain": chain.id}


def _bookmark(chain_id: str) -> str:
    return f"doctor:{chain_id}"


def read_bookmark(ledger: Ledger, chain_id: str) -> tuple[int, str] | None:
    """How far a chain was sound at the last examination: counter and hash of that document."""
    try:
        kept = json.loads(ledger.mark(_bookmark(chain_id)) or "")
        return int(kept["icv"]), str(kept["hash"])
    except (ValueError, TypeError, KeyError):
        return None


# --- several at once -------------------------------------------------------------------------------------------------


class _Workers:
    """Examines batches here, or in other processes while this one reads."""

    def __init__(self, pool: Executor | None, jobs: int) -> None:
        self._pool, self._ahead = pool, 2 * jobs

    def examined(self, batches: Iterator[list[Kept]]) -> Iterator[tuple[list[Kept], list[list[Symptom]]]]:
        """Each batch with what is wrong of each of its documents, in order, few of them in memory."""
        if self._pool is None:
            yield from ((batch, examine(batch)) for batch in batches)
            return
        waiting: list[tuple[list[Kept], Any]] = []
        for batch in batches:
            waiting.append((batch, self._pool.submit(examine, batch)))
            if len(waiting) >= self._ahead:
                first, found = waiting.pop(0)
                yield first, found.result()
        for batch, found in waiting:
            yield batch, found.result()


@contextmanager
def _workers(jobs: int) -> Iterator[_Workers]:
    if jobs <= 1:
        yield _Workers(None, 1)
        return
    try:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield _Workers(pool, jobs)
    except BrokenExecutor:
        raise Unavailable("A process of the examination ended early.", fix="Look again with --jobs 1.") from None


# --- files -----------------------------------------------------------------------------------------------------------


def file_symptoms(ledger: Ledger, settings: Settings) -> Iterator[Symptom]:
    """Files that others may read, and a SQLite with a bug that damages files."""
    files = [settings.master_key_file, settings.home / "development.key"]
    if ledger.is_embedded:
        files += [Path(ledger.place + end) for end in ("", "-wal", "-shm")]
        if not _is_sound(sqlite3.sqlite_version_info):
            yield symptom("sqlite.version", {"file": ledger.place}, version=sqlite3.sqlite_version)
    for file in files:
        if file and file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield symptom("file.open", {"file": str(file)}, file=file)


def _is_sound(version: tuple[int, ...]) -> bool:
    """Whether the WAL-reset bug is mended (sqlite.org/wal.html): in 3.51.3, and in 3.50.7 and 3.44.6 of their lines."""
    return version >= _SOUND_SQLITE[0] or any(fixed[:2] == version[:2] and version >= fixed for fixed in _SOUND_SQLITE)
