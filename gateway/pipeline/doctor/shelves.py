"""The archive against the books: every file that is on record is there and whole, and no other is."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from gateway.archive import Store, digest
from gateway.ledger import ArchivedFile, Ledger
from gateway.pipeline.doctor.symptoms import Symptom, symptom

_PATIENCE: Final = timedelta(days=3)
"""How long after a document was due nothing of it in the archive is strange."""


def archive_symptoms(ledger: Ledger, store: Store, now: datetime, *, reads: bool = True) -> Iterator[Symptom]:
    """What is wrong with the archive; unless it `reads` files, only which are there. Unavailable: no archive."""
    shelf = _Shelf(ledger, store)
    for files in ledger.every_archived():
        for each in files:
            yield from shelf.before(each.key)
            yield from _file(store, each, is_there=shelf.take(each.key), reads=reads)
    yield from shelf.rest()
    for owner, uuid in ledger.unarchived(now - _PATIENCE):
        yield symptom("archive.nothing", {"taxpayer": owner, "uuid": uuid})


class _Shelf:
    """Walks the store's keys beside those on record, both sorted, and tells those that are on no record."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._keys = store.keys()
        self._next = next(self._keys, None)

    def before(self, key: str) -> Iterator[Symptom]:
        while self._next is not None and self._next < key:
            yield from self._told()

    def take(self, key: str) -> bool:
        """Whether this key, which is the next on record, is there."""
        is_there = self._next == key
        if is_there:
            self._next = next(self._keys, None)
        return is_there

    def rest(self) -> Iterator[Symptom]:
        while self._next is not None:
            yield from self._told()

    def _told(self) -> Iterator[Symptom]:
        key = str(self._next)
        if not self._ledger.is_archived(key):  # it may have been put on record since that was read
            yield symptom("archive.extra", {"file": key})
        self._next = next(self._keys, None)


def _file(store: Store, file: ArchivedFile, *, is_there: bool, reads: bool) -> Iterator[Symptom]:
    place: dict[str, str | int] = {"taxpayer": file.taxpayer_id, "uuid": file.uuid, "file": file.key}
    if file.disposed_at is not None:
        if is_there:
            yield symptom("archive.undeleted", place)
    elif not is_there and store.get(file.key) is None:  # it may have come since the list was read
        yield symptom("archive.missing", place)
    elif file.sha256 not in file.key or (reads and digest(store.get(file.key) or b"") != file.sha256):
        yield symptom("archive.changed", place)
