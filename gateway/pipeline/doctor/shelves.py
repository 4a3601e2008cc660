"""The archive against the books: every file that is on record is there and whole, and no other is."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from gateway.archive import Store, digest
from gateway.ledger import ArchivedFile, Ledger
from gateway.pipeline.doctor.symptoms import Symptom, symptom

_PATIENCE: Final = timedelta(days=3)
"""How long after a document was due nothing of it in the archive is strange."""


def archive_symptoms(ledger: Ledger, store: Store, now: datetime) -> Iterator[Symptom]:
    """What is wrong with the archive. Unavailable: it cannot be reached."""
    unknown = _Others(store)
    for files in ledger.every_archived():
        for each in files:
            yield from unknown.before(each.key)
            yield from _file(store, each)
    yield from unknown.rest()
    for owner, uuid in ledger.unarchived(now - _PATIENCE):
        yield symptom("archive.nothing", {"taxpayer": owner, "uuid": uuid})


class _Others:
    """Walks the store's keys beside those on record, both sorted, and tells those that are on no record."""

    def __init__(self, store: Store) -> None:
        self._keys = store.keys()
        self._next = next(self._keys, None)

    def before(self, key: str) -> Iterator[Symptom]:
        while self._next is not None and self._next < key:
            yield from self._told()
        if self._next == key:
            self._next = next(self._keys, None)

    def rest(self) -> Iterator[Symptom]:
        while self._next is not None:
            yield from self._told()

    def _told(self) -> Iterator[Symptom]:
        yield symptom("archive.extra", {"file": str(self._next)}, file=self._next)
        self._next = next(self._keys, None)


def _file(store: Store, file: ArchivedFile) -> Iterator[Symptom]:
    place: dict[str, str | int] = {"taxpayer": file.taxpayer_id, "uuid": file.uuid, "file": file.key}
    content = store.get(file.key)
    if file.disposed_at is not None:
        if content is not None:
            yield symptom("archive.undeleted", place)
    elif content is None:
        yield symptom("archive.missing", place)
    elif digest(content) != file.sha256 or file.sha256 not in file.key:
        yield symptom("archive.changed", place)
