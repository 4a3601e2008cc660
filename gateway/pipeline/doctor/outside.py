"""The checkpoints outside the database, examined: that their lines are unbroken and signed, and that audit logs and
chains go at least as far as they say."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from cryptography import x509

from gateway.keys import CERTIFICATE, fingerprint, verifies
from gateway.ledger import CHECKPOINTS_BOOKMARK, RESTORED, Checkpoint, CheckpointFiles, Ledger, Line, iso
from gateway.pipeline.doctor.symptoms import Symptom, symptom

LONG: Final = timedelta(hours=2)
"""A batch that has no checkpoint for so long was forgotten: they are written every hour at least."""


class Outside:
    """Reads the files from the beginning, or where it `goes_on`, from where they were sound before."""

    def __init__(self, ledger: Ledger, files: CheckpointFiles, *, goes_on: bool, now: datetime) -> None:
        self._ledger, self._files, self._goes_on = ledger, files, goes_on
        self._too_old = iso(now - LONG)
        self._fenced = frozenset(each.chain for each in ledger.fenced())
        self._is_restored = bool(self._fenced) or ledger.mark(RESTORED) is not None
        self._newest: dict[str, Checkpoint] = {}
        self._common: dict[str, int] = {}
        """Entries of each log up to the last checkpoint that the ledger has."""
        self._sound = True
        self.lines = 0
        """How many were read."""

    def symptoms(self) -> Iterator[Symptom]:
        """Everything that is wrong of them, and of the ledger by them."""
        pem = self._ledger.mark(CERTIFICATE) or ""
        beside = self._files.certificate()
        certificate = _certificate(pem or beside)
        if (beside and pem != beside) or (certificate is None and (pem or self._bookmark()[0])):
            yield symptom("checkpoint.certificate", {"file": str(self._files.folder)})
        if certificate is None:  # nothing was ever sealed with a key, or nothing can be proved
            return
        for each in chain(self._gone(), self._read(certificate)):
            self._sound = self._sound and not each.is_error
            yield each
        for newest in self._newest.values():
            yield from self._compared(newest)
        yield from self._late()

    def _read(self, certificate: x509.Certificate) -> Iterator[Symptom]:
        after, previous = self._beginning()
        last: Line | None = None
        key = fingerprint(certificate)
        for line in self._files.lines(lambda body, signed: verifies(certificate, body, signed), key=key, after=after):
            self.lines += 1
            if line.checkpoint is None:
                yield symptom("checkpoint.line", _place(line), what=line.wrong)
            elif line.previous != previous:
                what = "does not follow the one before: lines were taken out, put in or changed"
                yield symptom("checkpoint.line", _place(line), what=what)
            if line.checkpoint:
                yield from self._shrunk(line, line.checkpoint)
            previous, last = line.digest, line
        if last and self._sound:
            newest = [[each.taxpayer, each.entries, each.batch, each.hash, each.at] for each in self._newest.values()]
            self._ledger.put_mark(CHECKPOINTS_BOOKMARK, json.dumps([last.file, last.number, last.digest, newest]))

    def _beginning(self) -> tuple[tuple[str, int], str]:
        """The line to begin after, and its digest; from the start if it is another now."""
        file, number, digest, newest = self._bookmark()
        if not (self._goes_on and file and newest and self._files.line_digest(file, number) == digest):
            return ("", 0), ""
        self._newest = {each.taxpayer: each for each in newest}
        self._common = {each.taxpayer: each.entries for each in newest if self._has(each)}
        return (file, number), digest

    def _bookmark(self) -> tuple[str, int, str, list[Checkpoint]]:
        """The line at which they were sound at the last examination: file, number, digest, and the last checkpoint of
        each taxpayer up to there, without its chains."""
        try:
            file, number, digest, *more = json.loads(self._ledger.mark(CHECKPOINTS_BOOKMARK) or "")
            newest = [
                Checkpoint(str(owner), int(entries), int(batch), str(seal), (), str(at))
                for owner, entries, batch, seal, at in (more[0] if more else ())
            ]
            return str(file), int(number), str(digest), newest
        except (ValueError, TypeError, LookupError):
            return "", 0, "", []

    def _gone(self) -> Iterator[Symptom]:
        file, number, digest, _ = self._bookmark()
        if file and self._files.line_digest(file, number) != digest:
            yield symptom("checkpoint.line", {"file": file, "line": number}, what="is gone or another than it was")

    def _shrunk(self, line: Line, checkpoint: Checkpoint) -> Iterator[Symptom]:
        """A log never gets shorter, nor another one as it gets longer, but for a ledger that was put back from a
        backup. It is told once, and from there on the log is compared with what came after."""
        before = self._newest.get(checkpoint.taxpayer)
        self._newest[checkpoint.taxpayer] = checkpoint
        if not before:
            self._common[checkpoint.taxpayer] = checkpoint.entries if self._has(checkpoint) else 0
        if not before or (before.batch, before.hash) == (checkpoint.batch, checkpoint.hash):
            return
        is_shorter = (checkpoint.entries, checkpoint.batch) < (before.entries, before.batch)
        is_here, common = self._has(checkpoint), self._common.get(checkpoint.taxpayer, 0)
        if is_here:
            self._common[checkpoint.taxpayer] = checkpoint.entries
        if is_shorter or (is_here and not self._has(before)):
            here = checkpoint.entries if is_shorter else common
            place = {"taxpayer": checkpoint.taxpayer, "entry": here + 1, **_place(line)}
            yield self._short(place, there=before.entries, here=here, at=before.at)

    def _short(self, place: dict[str, str | int], **values: object) -> Symptom:
        code = "checkpoint.restored" if self._is_restored else "checkpoint.log"
        return symptom(code, place, **values)

    def _compared(self, newest: Checkpoint) -> Iterator[Symptom]:
        """What the ledger lacks of what a checkpoint says."""
        owner, at = newest.taxpayer, newest.at
        if not self._has(newest):
            last = self._ledger.last_audit_batch(owner)
            here = last.last_seq if last else 0
            entry = min(here + 1, newest.entries)
            place: dict[str, str | int] = {"taxpayer": owner, "batch": newest.batch, "entry": entry}
            yield self._short(place, there=newest.entries, here=here, at=at)
        for strand in newest.chains:
            is_here = not strand.icv or self._ledger.hash_at(strand.chain, strand.icv) == strand.hash
            if not is_here and strand.chain not in self._fenced:
                place = {"taxpayer": owner, "chain": strand.chain, "icv": strand.icv}
                yield symptom("checkpoint.chain", place, there=strand.icv, at=at)

    def _has(self, checkpoint: Checkpoint) -> bool:
        """Whether the ledger's log was sealed as a checkpoint says."""
        batch = self._ledger.audit_batch(checkpoint.taxpayer, checkpoint.batch)
        return batch is not None and (batch.last_seq, batch.hash) == (checkpoint.entries, checkpoint.hash)

    def _late(self) -> Iterator[Symptom]:
        """Logs that were sealed further a while ago and have no checkpoint of it."""
        for owner in self._ledger.owners():
            newest = self._newest.get(owner)
            batch = next(self._ledger.audit_batches(owner, after=newest.batch if newest else 0), None)
            if batch and batch.sealed_at < self._too_old:
                yield symptom("checkpoint.late", {"taxpayer": owner, "batch": batch.number}, at=batch.sealed_at)


def _certificate(pem: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def _place(line: Line) -> dict[str, str | int]:
    return {"file": line.file, "line": line.number}
