"""What a document leaves for the years: its final XML, the authority's answers, its PDF, each in the archive once.

The ledger's rows say what is due and what is there. A worker that dies archives again, and writes the same files under
the same names.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import structlog

from gateway.archive import archive_key, digest, keep_until, legal_name
from gateway.errors import Conflict, GatewayError, Unavailable
from gateway.ledger import Archivable, ArchivedFile, DueArchiving, Hold, Plan
from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

DOCUMENT: Final = "document"
CLEARED: Final = "cleared"
"""The final XML where the authority cleared it: another file, for it may come after one was archived that is not."""
PDF: Final = "pdf"
_ENDINGS: Final = {DOCUMENT: ".xml", CLEARED: ".xml", PDF: ".pdf"}
_FORGET_AT_ONCE: Final = 500


async def archive(gateway: Gateway, due: DueArchiving, again: timedelta) -> None:
    """Archive what is due of one document, and record that, or when to try again: the archive is tried for ever."""
    error, next_at = "", None
    try:
        await gateway.offload(archive_now, gateway, due.taxpayer_id, due.uuid)
    except GatewayError as failure:
        wait = failure.retry_after if isinstance(failure, Unavailable) else 3600.0
        error, next_at = str(failure), gateway.now() + max(again, timedelta(seconds=wait))
        log.warning("not_archived", uuid=due.uuid, error=error)
    await gateway.offload(gateway.ledger.end_archiving, due.uuid, worker=due.worker, error=error, next_at=next_at)


def archive_now(gateway: Gateway, taxpayer_id: str, uuid: str) -> tuple[ArchivedFile, ...]:
    """Put what a document has and the archive has not into the archive; the new files."""
    facts = gateway.ledger.archivable(taxpayer_id, uuid)
    new = [(name, content) for name, content in _contents(gateway, taxpayer_id, uuid) if name not in facts.has]
    return _keep(gateway, taxpayer_id, uuid, facts, new)


def archive_again(gateway: Gateway, taxpayer_id: str, uuid: str) -> tuple[ArchivedFile, ...]:
    """Write files anew that are on record and not in the archive any more, though nobody deleted them; Conflict if one
    would not be what it was. A PDF is not written: it is derived."""
    on_record = {each.name: each for each in gateway.ledger.archived(taxpayer_id, [uuid]).get(uuid, ())}
    written = []
    for name, content in _contents(gateway, taxpayer_id, uuid):
        file = on_record.get(name)
        if file is None or file.disposed_at is not None or gateway.archive.get(file.key) is not None:
            continue
        if digest(content) != file.sha256:
            raise Conflict(f"The ledger has other bytes than were archived as {file.key}.", fix="Run `gateway doctor`.")
        gateway.archive.put(file.key, content, keep_until=file.keep_until)
        written.append(file)
    return tuple(written)


def archive_pdf(gateway: Gateway, taxpayer_id: str, uuid: str, pdf: bytes) -> ArchivedFile | None:
    """Archive the readable form of a document, once; None if it has one. It is derived: the XML is what counts."""
    facts = gateway.ledger.archivable(taxpayer_id, uuid)
    kept = () if PDF in facts.has else _keep(gateway, taxpayer_id, uuid, facts, [(PDF, pdf)])
    return kept[0] if kept else None


def archived_pdf(gateway: Gateway, taxpayer_id: str, uuid: str) -> bytes | None:
    """The readable form as it was archived, None if there is none or it cannot be read now."""
    files = gateway.ledger.archived(taxpayer_id, [uuid]).get(uuid, ())
    for each in files:
        if each.name == PDF and each.disposed_at is None:
            try:
                return read_archived(gateway, each)
            except GatewayError as error:
                log.warning("archive_unreadable", uuid=uuid, error=str(error))
    return None


def _contents(gateway: Gateway, taxpayer_id: str, uuid: str) -> Iterator[tuple[str, bytes]]:
    cleared = gateway.ledger.cleared_xml(taxpayer_id, uuid)
    yield (DOCUMENT, gateway.ledger.stamped_xml(taxpayer_id, uuid)) if cleared is None else (CLEARED, cleared)
    for each in gateway.ledger.attempts(taxpayer_id, uuid):
        if each.phase == "ended" and each.body:
            yield f"answer-{each.number}", each.body


def _keep(
    gateway: Gateway, taxpayer_id: str, uuid: str, facts: Archivable, contents: list[tuple[str, bytes]]
) -> tuple[ArchivedFile, ...]:
    legal = legal_name(facts.vat, facts.issued_at, facts.number, uuid)
    until = keep_until(facts.issued_at, gateway.settings.retention_years)
    files = []
    for name, content in contents:
        ending, sha256 = ending_of(name), digest(content)
        key = archive_key(facts.vat, facts.issued_at, legal, ending, sha256)
        gateway.archive.put(key, content, keep_until=until)
        files.append(ArchivedFile(uuid, name, taxpayer_id, key, sha256, len(content), gateway.now(), until))
    gateway.ledger.add_archived(files)
    return tuple(files)


def ending_of(name: str) -> str:
    """How the name of a file ends that is this of a document."""
    return _ENDINGS.get(name, f".{name}.json")


# --- keeping longer, and deleting -------------------------------------------------------------------------------------


def hold(gateway: Gateway, taxpayer_id: str, *, uuid: str | None, reason: str, actor: str) -> Hold:
    """Keep one document's files, or all of the taxpayer's, whatever their age, until the hold is lifted."""
    placed = Hold(gateway.new_id(), taxpayer_id, uuid, reason, actor, gateway.now(), None, None, "")
    gateway.ledger.add_hold(placed)
    return placed


def keep_longer(gateway: Gateway, taxpayer_id: str, uuid: str, *, years: int, reason: str, actor: str) -> Hold:
    """Keep a document's files for more years than the rest: 11 for capital assets, 15 for real estate."""
    until = keep_until(gateway.ledger.archivable(taxpayer_id, uuid).issued_at, years)
    placed = Hold(gateway.new_id(), taxpayer_id, uuid, reason, actor, gateway.now(), until, None, "")
    gateway.ledger.add_hold(placed)
    return placed


def propose_disposal(gateway: Gateway, taxpayer_id: str, *, reason: str, actor: str) -> tuple[Plan, int]:
    """Propose to delete every file whose time is over now; the proposal, and how many files that are. Unavailable while
    the clock, which says what is over, is wrong or seems to be."""
    now = gateway.now()
    gateway.clocks.check(now, ever=True)
    plan = Plan(gateway.new_id(), taxpayer_id, now, reason, actor, now, "", None)
    count = gateway.ledger.propose_disposal(plan)
    fix = "If nobody should, `gateway archive purge withdraw` stops it."
    log.warning("disposal_proposed", id=plan.id, taxpayer=taxpayer_id, by=actor, files=count, fix=fix)
    return plan, count


def confirm_disposal(gateway: Gateway, taxpayer_id: str, plan_id: str, *, actor: str) -> int:
    """Delete the files of a proposal, as another person; how many. It is on record before a byte goes, so that an
    interruption leaves files too many and never one too few: `delete_disposed` goes on."""
    now = gateway.now()
    gateway.clocks.check(now, ever=True)
    count = gateway.ledger.confirm_disposal(taxpayer_id, plan_id, actor=actor, now=now)
    delete_disposed(gateway, taxpayer_id)
    return count


def withdraw_disposal(gateway: Gateway, taxpayer_id: str, plan_id: str, *, actor: str) -> None:
    """Take a proposal back, or stop another person's: nothing is deleted by it."""
    gateway.ledger.withdraw_disposal(taxpayer_id, plan_id, actor=actor, now=gateway.now())


def delete_disposed(gateway: Gateway, taxpayer_id: str, *, tell: Callable[[int], None] = lambda files: None) -> None:
    """See that the bytes of all files that were disposed of are gone; `tell` hears of each."""
    for each in gateway.ledger.disposed_files(taxpayer_id):
        gateway.archive.delete(each.key)
        tell(1)


def read_archived(gateway: Gateway, file: ArchivedFile) -> bytes:
    """The bytes of a file as they were archived; Conflict if they are gone or other ones."""
    content = gateway.archive.get(file.key)
    if content is None or digest(content) != file.sha256:
        what = "is not there" if content is None else "is not what was archived"
        raise Conflict(f"{file.key} in {gateway.archive.name} {what}.", fix="`gateway doctor` says more.")
    return content


def forget_payloads(gateway: Gateway) -> int:
    """Let webhooks and orders that are older than the setting go, but for their digests; how many rows. 0 days: none
    ever."""
    days = gateway.settings.raw_payloads_days
    if not days:
        return 0
    now, total = gateway.now(), 0
    before = now - timedelta(days=days)
    while True:
        notices = gateway.ledger.forgettable(before, _FORGET_AT_ONCE)
        digests = [(key, hashlib.sha256(body).hexdigest()) for key, _, body in notices]
        count = gateway.ledger.forget(digests, before=before, limit=_FORGET_AT_ONCE, now=now)
        total += count
        if count < _FORGET_AT_ONCE:
            return total
