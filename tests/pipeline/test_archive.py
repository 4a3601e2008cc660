"""Final documents go into the archive by themselves, stay for the lawful time, and go by two people only."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from structlog.testing import capture_logs

from gateway.archive import digest
from gateway.errors import Conflict, Unavailable, Unknown
from gateway.issued import Status
from gateway.ledger import Filter, tables
from gateway.ledger.archive_tables import ARCHIVED
from gateway.ledger.shop_tables import NOTICE
from gateway.looks import Looks
from gateway.order import read_order
from gateway.pipeline.archive import (
    archive_again,
    archive_now,
    archive_pdf,
    confirm_disposal,
    delete_disposed,
    forget_payloads,
    hold,
    keep_longer,
    propose_disposal,
    read_archived,
)
from gateway.pipeline.doctor.shelves import archive_symptoms
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.pipeline.readable import readable
from gateway.worker import Worker
from tests.installation import BUSINESS, CONNECTION, OWNER, order

AFTER = timedelta(days=7 * 366)


def made(gateway, number, **more):
    return issue(gateway, Request(OWNER, "tests", read_order(json.dumps(order(number, **more))))).issued.uuid


def drain(gateway):
    async def run():
        async with online(gateway) as lines:
            await Worker(gateway, lines, name="tests").drain()

    asyncio.run(run())


@pytest.fixture
def settled(gateway):
    """A gateway with a simplified and a standard document, both answered and archived."""
    uuids = made(gateway, 1), made(gateway, 2, buyer=BUSINESS)
    drain(gateway)
    return gateway, *uuids


def files(gateway, uuid):
    return {each.name: each for each in gateway.ledger.archived(OWNER, [uuid]).get(uuid, ())}


def later(gateway, by=AFTER):
    return replace(gateway, now=lambda: gateway.now() + by)


def years_later(gateway, by=AFTER):
    """When something was recorded two days before: without that the clock would not be believed."""
    now = gateway.now() + by - timedelta(days=2)
    gateway.ledger.audit(taxpayer_id=OWNER, actor="tests", action="looked", target="", detail={}, now=now)
    return later(gateway, by)


def symptoms(gateway):
    return [each.code for each in archive_symptoms(gateway.ledger, gateway.archive, gateway.now())]


def test_final_xml_and_answers_are_archived_under_their_names(settled):
    gateway, simplified, standard = settled
    for uuid, final in ((simplified, "document"), (standard, "cleared")):
        kept = files(gateway, uuid)
        assert set(kept) == {final, "answer-1"}
        assert read_archived(gateway, kept[final]) == gateway.ledger.xml(OWNER, uuid)
        ended = gateway.ledger.attempts(OWNER, uuid)[1]
        assert read_archived(gateway, kept["answer-1"]) == ended.body
        for each in kept.values():
            name = each.key.rpartition("/")[2]
            assert name.startswith(f"{OWNER}_")
            assert f"_{uuid}_{each.sha256}." in name
    assert gateway.ledger.xml(OWNER, standard) != gateway.ledger.stamped_xml(OWNER, standard)
    assert symptoms(gateway) == []


def test_nothing_is_archived_before_the_final_answer(gateway):
    made(gateway, 1)
    assert gateway.ledger.archive_counts(OWNER).waiting == 0
    assert list(gateway.archive.keys()) == []


def test_who_was_killed_on_the_way_archives_the_same_again(installation):
    with open_gateway(installation.settings) as gateway:
        uuid = made(gateway, 1)
        drain(gateway)
        before = sorted(gateway.archive.keys())
        with gateway.ledger._database.writing() as connection:  # as if the record had not been written
            connection.execute(text("DROP TRIGGER archived_delete"))
            connection.execute(ARCHIVED.delete())
        assert symptoms(gateway) == ["archive.extra"] * 2
        archive_now(gateway, OWNER, uuid)
        assert sorted(gateway.archive.keys()) == before
        assert archive_now(gateway, OWNER, uuid) == ()
        assert symptoms(gateway) == []


def test_an_archive_that_is_down_is_tried_again_and_holds_nothing_up(gateway, monkeypatch):
    uuid = made(gateway, 1)

    def down(*_, **__):
        raise Unavailable("The archive cannot be reached.", retry_after=60)

    with monkeypatch.context() as patch:
        patch.setattr(type(gateway.archive), "put", down)
        drain(gateway)
    counts = gateway.ledger.archive_counts(OWNER)
    assert (counts.waiting, counts.failing, counts.error) == (1, 1, "The archive cannot be reached.")
    assert gateway.ledger.invoice(OWNER, uuid).status is Status.REPORTED
    drain(later(gateway, timedelta(minutes=10)))
    assert set(files(gateway, uuid)) == {"document", "answer-1"}
    assert gateway.ledger.archive_counts(OWNER).waiting == 0


def test_what_is_cleared_after_it_was_archived_is_archived_too(settled):
    """An answer that says "accepted before" may come without the document, and the document with another."""
    gateway, _, standard = settled
    ledger, stamped = gateway.ledger, gateway.ledger.stamped_xml(OWNER, standard)
    with ledger._database.writing() as connection:
        for name in ("archived_delete", "clearance_delete"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(ARCHIVED.delete())
        (clearance,) = connection.execute(tables.CLEARANCE.select()).mappings()
        connection.execute(tables.CLEARANCE.delete())
    archive_now(gateway, OWNER, standard)
    assert read_archived(gateway, files(gateway, standard)["document"]) == stamped
    with ledger._database.writing() as connection:
        connection.execute(tables.CLEARANCE.insert(), dict(clearance))
    archive_now(gateway, OWNER, standard)
    assert set(files(gateway, standard)) == {"document", "cleared", "answer-1"}
    assert read_archived(gateway, files(gateway, standard)["cleared"]) == ledger.xml(OWNER, standard)


def test_a_pdf_is_archived_once(settled):
    gateway, uuid, _ = settled
    assert archive_pdf(gateway, OWNER, uuid, b"%PDF-1").key.endswith(f"{digest(b'%PDF-1')}.pdf")
    assert archive_pdf(gateway, OWNER, uuid, b"%PDF-2") is None
    assert read_archived(gateway, files(gateway, uuid)["pdf"]) == b"%PDF-1"


def test_the_doctor_names_what_is_wrong_with_a_file(settled):
    gateway, simplified, standard = settled
    missing, changed = files(gateway, simplified)["document"].key, files(gateway, standard)["cleared"].key
    (gateway.archive.root / missing).unlink()
    (gateway.archive.root / changed).chmod(0o600)
    (gateway.archive.root / changed).write_bytes(b"<Invoice/>")
    (gateway.archive.root / "stranger").write_bytes(b"")
    found = {each.code: each.where["file"] for each in archive_symptoms(gateway.ledger, gateway.archive, gateway.now())}
    assert found == {"archive.missing": missing, "archive.changed": changed, "archive.extra": "stranger"}
    quick = archive_symptoms(gateway.ledger, gateway.archive, gateway.now(), reads=False)
    assert sorted(each.code for each in quick) == ["archive.extra", "archive.missing"]
    assert len(archive_again(gateway, OWNER, simplified)) == 1
    assert sorted(symptoms(gateway)) == ["archive.changed", "archive.extra"]


# --- holds and deletion -----------------------------------------------------------------------------------------------


def purge(gateway):
    plan, count = propose_disposal(gateway, OWNER, reason="old", actor="key:a")
    assert confirm_disposal(later(gateway, timedelta(days=1)), OWNER, plan.id, actor="key:b") == count
    return count


def test_nothing_goes_before_its_time(settled):
    gateway, *_ = settled
    for years in (0, 6):
        with pytest.raises(Conflict, match="No file may be deleted"):
            propose_disposal(later(gateway, timedelta(days=365 * years)), OWNER, reason="r", actor="key:a")


def test_afterwards_two_people_delete_and_the_record_stays(settled):
    gateway, simplified, _ = settled
    gateway = years_later(gateway)
    with capture_logs() as logged:
        plan, count = propose_disposal(gateway, OWNER, reason="old", actor="key:a")
    assert [(each["event"], each["log_level"], each["id"]) for each in logged] == [
        ("disposal_proposed", "warning", plan.id)
    ]
    assert count == 4
    with pytest.raises(Conflict, match="cannot confirm"):
        confirm_disposal(gateway, OWNER, plan.id, actor="key:a")
    assert len(list(gateway.archive.keys())) == 4
    with pytest.raises(Conflict, match="a day after it was proposed"):
        confirm_disposal(gateway, OWNER, plan.id, actor="key:b")
    gateway = later(gateway, timedelta(days=1))
    assert confirm_disposal(gateway, OWNER, plan.id, actor="key:b") == 4
    assert list(gateway.archive.keys()) == []
    kept = files(gateway, simplified)["document"]
    assert kept.disposed_at is not None
    assert len(kept.sha256) == 64
    assert symptoms(gateway) == []
    with pytest.raises(Conflict, match="was confirmed"):
        confirm_disposal(gateway, OWNER, plan.id, actor="key:c")
    said = [(each.actor, each.action) for each in gateway.ledger.audit_log(OWNER)][-2:]
    assert said == [("key:a", "archive.disposal_proposed"), ("key:b", "archive.disposed")]
    assert archive_again(gateway, OWNER, simplified) == ()


def test_a_hold_and_a_longer_retention_keep(settled):
    gateway, simplified, standard = settled
    placed = hold(gateway, OWNER, uuid=None, reason="the authority asks", actor="cli")
    with pytest.raises(Conflict, match="No file may be deleted"):
        propose_disposal(later(gateway), OWNER, reason="r", actor="key:a")
    keep_longer(gateway, OWNER, standard, years=11, reason="a machine", actor="cli")
    gateway.ledger.lift_hold(OWNER, placed.id, actor="cli", now=gateway.now())
    with pytest.raises(Unknown):
        gateway.ledger.lift_hold(OWNER, placed.id, actor="cli", now=gateway.now())
    with pytest.raises(Conflict, match="ends by itself"):
        gateway.ledger.lift_hold(OWNER, gateway.ledger.holds(OWNER)[1].id, actor="cli", now=gateway.now())
    assert purge(years_later(gateway)) == 2
    assert files(gateway, simplified)["document"].disposed_at
    assert not files(gateway, standard)["cleared"].disposed_at
    assert purge(years_later(gateway, timedelta(days=12 * 366))) == 2


def test_by_a_clock_that_was_seen_to_be_wrong_nothing_is_deleted(settled):
    """Set forward, it also says that it was long ago that it was seen."""
    gateway, *_ = settled
    gateway = years_later(gateway)
    plan, _ = propose_disposal(gateway, OWNER, reason="old", actor="key:a")
    now = gateway.now()
    gateway.clocks.saw(now - timedelta(days=7 * 366), now)
    gateway = later(gateway, timedelta(days=1))
    with pytest.raises(Unavailable, match="clock of this machine"):
        propose_disposal(gateway, OWNER, reason="old", actor="key:a")
    with pytest.raises(Unavailable, match="clock of this machine"):
        confirm_disposal(gateway, OWNER, plan.id, actor="key:b")
    gateway.clocks.saw(gateway.now(), gateway.now())
    assert confirm_disposal(gateway, OWNER, plan.id, actor="key:b") == 4


def test_a_deletion_that_was_interrupted_is_seen_and_finished(settled, monkeypatch):
    gateway, *_ = settled
    gateway = years_later(gateway)

    def down(*_):
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(type(gateway.archive), "delete", down)
        with pytest.raises(Unavailable):
            purge(gateway)
    assert symptoms(gateway) == ["archive.undeleted"] * 4
    delete_disposed(gateway, OWNER)
    assert symptoms(gateway) == []


# --- what is forgotten ------------------------------------------------------------------------------------------------


def test_raw_payloads_go_and_their_digests_stay(settled):
    gateway, simplified, _ = settled
    waiting = made(gateway, 3)
    gateway.ledger.add_notice(
        OWNER, CONNECTION, topic="t", order_id="1", delivery_id="d", body=b'{"name":"x"}', now=gateway.now()
    )
    with gateway.ledger._database.writing() as connection:
        connection.execute(update(NOTICE).values(state="done", next_at=None))
    assert forget_payloads(later(gateway)) == 0  # the setting is 0
    keen = replace(gateway, settings=gateway.settings.model_copy(update={"raw_payloads_days": 30}))
    assert forget_payloads(keen) == 0
    assert forget_payloads(later(keen)) == 3
    with gateway.ledger._database.reading() as connection:
        row = connection.execute(NOTICE.select()).one()
    assert (row.body, row.body_digest) == (b"", digest(b'{"name":"x"}'))
    with pytest.raises(Unknown, match="no longer kept"):
        gateway.ledger.snapshot(OWNER, simplified)
    assert gateway.ledger.snapshot(OWNER, waiting).order_json
    assert gateway.ledger.invoices(OWNER, Filter()).items[0].uuid == waiting
    repeated = issue(gateway, Request(OWNER, "tests", read_order(json.dumps(order(1)))))
    assert (repeated.created, repeated.issued.uuid) == (False, simplified)  # its digest still tells it


def test_a_pdf_is_made_once_and_what_was_given_out_stays_the_same(settled):
    gateway, uuid, _ = settled
    assert "pdf" not in files(gateway, uuid)
    readable(gateway, OWNER, uuid, actor="auditor", only_looks=True)
    assert "pdf" not in files(gateway, uuid)
    first = readable(gateway, OWNER, uuid, actor="tests").content
    assert read_archived(gateway, files(gateway, uuid)["pdf"]) == first
    gateway.ledger.set_looks(OWNER, "", Looks(colour="#aa0000"), actor="tests", now=gateway.now())
    assert readable(gateway, OWNER, uuid, actor="tests").content == first


def test_a_pdf_that_the_archive_cannot_give_or_take_is_made_all_the_same(settled, monkeypatch):
    gateway, uuid, other = settled
    first = readable(gateway, OWNER, uuid, actor="tests").content

    def away(*_, **__):
        raise Unavailable("The store is away.")

    monkeypatch.setattr(type(gateway.archive), "get", away)
    monkeypatch.setattr(type(gateway.archive), "put", away)
    assert readable(gateway, OWNER, uuid, actor="tests").content == first
    assert readable(gateway, OWNER, other, actor="tests").content.startswith(b"%PDF")
    assert "pdf" not in files(gateway, other)


def test_the_pdf_of_a_document_without_its_answer_is_not_archived(gateway):
    uuid = made(gateway, 1)
    assert readable(gateway, OWNER, uuid, actor="tests").content.startswith(b"%PDF")
    assert "pdf" not in files(gateway, uuid)
