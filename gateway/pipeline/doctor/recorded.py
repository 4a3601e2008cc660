"""The audit log, examined: that it and its batches are unbroken, that nothing waited too long to be sealed, and that
what it says was issued is what the documents' rows say."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.ledger import (
    ISSUED,
    LONG_UNSEALED,
    AuditBatch,
    Entry,
    Ledger,
    Witnessed,
    batch_hash,
    canonical_json,
    chained,
    iso,
)
from gateway.pipeline.doctor.symptoms import Symptom, symptom


class Reader:
    """Reads one taxpayer's audit log from the beginning, or where it `goes_on`, from where it was sound before."""

    def __init__(self, ledger: Ledger, taxpayer_id: str, *, goes_on: bool, now: datetime) -> None:
        self._ledger, self._owner, self._goes_on = ledger, taxpayer_id, goes_on
        self._too_old = iso(now - LONG_UNSEALED)
        self._sound = True
        self.entries = 0
        """How many were read."""

    def symptoms(self) -> Iterator[Symptom]:
        """Everything that is wrong of it."""
        due, previous = self._beginning()
        forgotten = 0
        for entries, witnessed in self._ledger.entries(self._owner, due - 1):
            for entry in entries:
                found = [*_document_symptoms(entry, witnessed)]
                if entry.seq is None or entry.hash is None:
                    forgotten += entry.at < self._too_old
                else:
                    found += _entry_symptoms(entry, entry.seq, due, previous)
                    due, previous = entry.seq + 1, entry.hash
                self._sound = self._sound and not found
                yield from found
            self.entries += len(entries)
        if forgotten:
            yield symptom("audit.unsealed", {"taxpayer": self._owner}, count=forgotten)
        yield from self._batches(due - 1)
        if self._sound and due > 1:
            self._ledger.put_mark(self._mark, json.dumps({"seq": due - 1, "hash": previous}))

    def _batches(self, sealed: int) -> Iterator[Symptom]:
        """What is wrong of the batches. They are read after the entries, of which `sealed` had a place: those that are
        sealed meanwhile do not confuse."""
        before = AuditBatch(self._owner, 0, 0, "", "", "", "")
        for batch, there in self._ledger.batches(self._owner, 0):
            if wrong := _wrong_of(batch, there, before):
                self._sound = False
                place: dict[str, str | int] = {"taxpayer": self._owner, "batch": batch.number, "entry": batch.last_seq}
                yield symptom("audit.batch", place, number=batch.number, what=wrong)
            before = batch
        if before.last_seq < sealed:
            self._sound = False
            place = {"taxpayer": self._owner, "batch": before.number + 1, "entry": before.last_seq + 1}
            yield symptom("audit.batch", place, number=before.number + 1, what="is not there")

    @property
    def _mark(self) -> str:
        return f"doctor:audit:{self._owner}"

    def _beginning(self) -> tuple[int, str]:
        """The entry that is due first and the hash before it; from the start if the bookmark's entry is another now."""
        try:
            kept = json.loads(self._ledger.mark(self._mark) or "") if self._goes_on else {}
            seq, there = int(kept["seq"]), str(kept["hash"])
        except (ValueError, TypeError, KeyError):
            return 1, ""
        return (seq + 1, there) if self._ledger.entry_hash_at(self._owner, seq) == there else (1, "")


def _wrong_of(batch: AuditBatch, there: str | None, before: AuditBatch) -> str:
    """What is wrong of a batch: `there` is the hash of the entry it ends at. Empty if nothing is."""
    if batch.number != before.number + 1:
        return f"follows number {before.number}"
    if batch.previous != before.hash:
        return "does not carry the hash of the one before"
    if batch.hash != batch_hash(batch):
        return "was changed, its hash does not fit"
    if not before.last_seq < batch.last_seq or batch.digest != there:
        return f"does not end at entry {batch.last_seq} as it stands"
    return ""


def _entry_symptoms(entry: Entry, seq: int, due: int, previous: str) -> Iterator[Symptom]:
    place: dict[str, str | int] = {"taxpayer": entry.taxpayer_id, "entry": seq}
    if seq != due:
        yield symptom("audit.break", {**place, "entry": due}, what=f"entry {due} was due, {seq} stands there")
    if entry.hash != _hash(entry, seq, previous):
        yield symptom("audit.break", place, what=f"entry {seq} or the one before was changed, its hash does not fit")


def _hash(entry: Entry, seq: int, previous: str) -> str:
    """The entry's hash by its stored texts; empty if they are not such as the ledger writes."""
    detail = _json(entry.detail)
    if detail is None or canonical_json(detail) != entry.detail:
        return ""
    return chained(
        seq=seq,
        at=entry.at,
        taxpayer=entry.taxpayer_id,
        actor=entry.actor,
        action=entry.action,
        target=entry.object,
        detail=detail,
        previous=previous,
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _document_symptoms(entry: Entry, witnessed: dict[str, Witnessed]) -> Iterator[Symptom]:
    said = _json(entry.detail)
    if entry.action != ISSUED or not isinstance(said, dict):
        return
    number = "?" if entry.seq is None else entry.seq
    place: dict[str, str | int] = {"taxpayer": entry.taxpayer_id, "entry": number, "uuid": entry.object}
    row = witnessed.get(entry.object)
    if row is None:
        yield symptom("audit.gone", {**place, "icv": said.get("icv", "?")}, seq=number)
        return
    names = ("number", "unit", "csid", "icv", "hash", "connection", "thing", "rule_book")
    wrong = [name for name in names if said.get(name) != getattr(row, name)]
    if entry.at != row.made_at:
        wrong.append("made_at")
    if wrong:
        yield symptom("audit.document", {**place, "icv": row.icv}, seq=number, what=", ".join(wrong))
