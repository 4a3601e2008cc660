"""The audit log, examined: that it is unbroken, and that what it says was issued is what the documents' rows say."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from gateway.ledger import ISSUED, Entry, Ledger, Witnessed, canonical_json
from gateway.pipeline.doctor.symptoms import Symptom, symptom


class Reader:
    """Reads one taxpayer's audit log from the beginning, or where it `goes_on`, from where it was sound before."""

    def __init__(self, ledger: Ledger, taxpayer_id: str, *, goes_on: bool) -> None:
        self._ledger, self._owner, self._goes_on = ledger, taxpayer_id, goes_on
        self._sound = True
        self.entries = 0
        """How many were read."""

    def symptoms(self) -> Iterator[Symptom]:
        """Everything that is wrong of it."""
        due, previous = self._beginning()
        for entries, witnessed in self._ledger.entries(self._owner, due - 1):
            for entry in entries:
                found = [*_entry_symptoms(entry, due, previous), *_document_symptoms(entry, witnessed)]
                self._sound = self._sound and not found
                yield from found
                due, previous = entry.seq + 1, entry.hash
            self.entries += len(entries)
        if self._sound and due > 1:
            self._ledger.put_mark(self._mark, json.dumps({"seq": due - 1, "hash": previous}))

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


def _entry_symptoms(entry: Entry, due: int, previous: str) -> Iterator[Symptom]:
    place: dict[str, str | int] = {"taxpayer": entry.taxpayer_id, "entry": entry.seq}
    if entry.seq != due:
        what = f"entry {due} was due, {entry.seq} stands there"
        yield symptom("audit.break", {**place, "entry": due}, what=what)
    elif entry.previous != previous:
        yield symptom("audit.break", place, what=f"entry {entry.seq} does not carry the hash of the one before")
    if entry.hash != _hash(entry):
        yield symptom("audit.break", place, what=f"entry {entry.seq} was changed, its hash does not fit")


def _hash(entry: Entry) -> str:
    """The entry's hash by its stored texts; empty if they are not such as the ledger writes."""
    detail = _json(entry.detail)
    if detail is None or canonical_json(detail) != entry.detail:
        return ""
    content = {
        "seq": entry.seq,
        "at": entry.at,
        "taxpayer": entry.taxpayer_id,
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "detail": detail,
        "previous": entry.previous,
    }
    return hashlib.sha256(canonical_json(content).encode(errors="replace")).hexdigest()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _document_symptoms(entry: Entry, witnessed: dict[str, Witnessed]) -> Iterator[Symptom]:
    said = _json(entry.detail)
    if entry.action != ISSUED or not isinstance(said, dict):
        return
    place: dict[str, str | int] = {"taxpayer": entry.taxpayer_id, "entry": entry.seq, "uuid": entry.object}
    row = witnessed.get(entry.object)
    if row is None:
        yield symptom("audit.gone", {**place, "icv": said.get("icv", "?")}, seq=entry.seq)
        return
    names = ("number", "unit", "csid", "icv", "hash", "connection", "thing", "rule_book")
    wrong = [name for name in names if said.get(name) != getattr(row, name)]
    if entry.at != row.made_at:
        wrong.append("made_at")
    if wrong:
        yield symptom("audit.document", {**place, "icv": row.icv}, seq=entry.seq, what=", ".join(wrong))
