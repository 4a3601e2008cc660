"""A slow signer signs after the link is committed: nothing is sent or shown before, nothing lost or done twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import rules
from gateway.chain import FIRST_PIH, walk
from gateway.csid import read_certificate
from gateway.errors import NotCompliant, NotStamped, Unavailable
from gateway.issued import Status
from gateway.keys import throw_away_signer
from gateway.ledger import Ledger
from gateway.order import Refund
from gateway.pipeline.doctor import Examination
from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.notes import NoteRequest, credit
from gateway.pipeline.share import buyers_copy
from gateway.verifier import verify
from tests.installation import OWNER, UNIT
from tests.slow_signer import FarStamper, signer


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def far(site, tmp_path):
    """The site with its keys far away, and the socket where a signer would listen."""
    path = tmp_path / "signer"
    site.gateway = replace(site.gateway, stamper=FarStamper(site.gateway.stamper, path))
    site.socket = path
    return site


def links(site):
    chain = site.ledger.chain(OWNER, UNIT.id)
    return list(site.ledger.chain_links(OWNER, chain.id))


def test_the_link_is_committed_and_the_stamp_follows(far, installation):
    first, second = far.issue(1), far.issue(2)
    assert (first.status, first.icv, first.qr) == (Status.UNSTAMPED, 1, "")
    assert (second.icv, far.head().pih) == (2, second.hash)
    with signer(installation.settings, far.socket, seconds=0.05):
        far.work()
    assert [far.now(each).status for each in (first, second)] == [Status.REPORTED] * 2
    assert set(far.accepted()) == {first.hash, second.hash}
    certificate = read_certificate(far.ledger.current_csid(OWNER, UNIT.id).certificate.encode())
    report = rules.check(
        far.ledger.stamped_xml(OWNER, first.uuid), now=far.clock(), certificate=certificate, pih=FIRST_PIH
    )
    assert (report.xsd, report.findings) == ((), ())
    assert far.now(first).qr
    assert list(walk(links(far))) == []


def test_nothing_is_sent_or_shown_while_the_signer_is_down_for_an_hour(far, installation):
    made = [far.issue(number) for number in (1, 2, 3)]
    for _ in range(12):
        far.work_later(minutes=5)
    assert [far.now(each).status for each in made] == [Status.UNSTAMPED] * 3
    assert far.accepted() == []
    count, said = far.ledger.unstamped(OWNER)
    assert (count, "signer" in said) == (3, True)
    for ask in (
        lambda: far.ledger.xml(OWNER, made[0].uuid),
        lambda: buyers_copy(far.gateway, OWNER, made[0].uuid, actor="tests"),
        lambda: credit(far.gateway, NoteRequest(OWNER, "tests", made[0].uuid), Refund(id="r", everything=True)),
    ):
        with pytest.raises(NotStamped, match=made[0].number) as caught:
            ask()
        assert caught.value.ar
    with signer(installation.settings, far.socket):
        far.work_later(minutes=6)
    assert [far.now(each).status for each in made] == [Status.REPORTED] * 3
    assert sorted(far.accepted()) == sorted(each.hash for each in made)
    assert far.ledger.unstamped(OWNER) == (0, "")


def test_the_doctor_finds_books_sound_before_and_after_a_stamp_follows(far, installation):
    def symptoms():
        found = Examination(far.ledger, far.gateway.settings, now=far.clock).symptoms()
        return {each.code for each in found} - {"sqlite.version", "audit.unsealed"}

    far.issue(1)
    assert symptoms() == set()
    with signer(installation.settings, far.socket):
        far.work_later(minutes=1)
    assert symptoms() == set()


def test_no_package_is_made_while_a_stamp_is_to_follow(far, installation, tmp_path):
    far.issue(1)
    package = tmp_path / "package.zip"
    with pytest.raises(Unavailable, match="wait for their stamp: 1") as caught:
        export(far.gateway, OWNER, Scope(), package, actor="tests")
    assert caught.value.ar
    assert list(tmp_path.glob("package*")) == []
    with signer(installation.settings, far.socket):
        far.work_later(minutes=1)
    export(far.gateway, OWNER, Scope(), package, actor="tests")
    report = verify(package)
    assert (report.faults, report.counts["documents"]) == ([], 1)


def test_the_same_order_again_is_the_same_waiting_document(far):
    assert far.issue(1) == far.now(far.issue(1))
    assert far.head().icv == 2


def test_what_breaks_a_rule_is_refused_before_its_link(far):
    with pytest.raises(NotCompliant):
        far.issue(1, flags=["summary"])
    assert (far.head().icv, far.ledger.unstamped(OWNER)) == (1, (0, ""))


def test_a_wrong_signature_is_refused_and_the_right_one_taken_later(far, installation):
    made = far.issue(1)
    right, far.gateway.stamper.sign = far.gateway.stamper.sign, lambda _, message: throw_away_signer()(message)
    far.work()
    assert (far.now(made).status, far.accepted()) == (Status.UNSTAMPED, [])
    assert "signatureValue" in far.ledger.unstamped(OWNER)[1]
    far.gateway.stamper.sign = right
    with signer(installation.settings, far.socket):
        far.work_later(minutes=1)
    assert far.accepted() == [made.hash]


@pytest.mark.parametrize("is_done", [False, True], ids=["before it is kept", "after it is kept"])
def test_a_worker_killed_between_link_and_stamp_is_taken_over(far, installation, monkeypatch, is_done):
    made = far.issue(1)
    real = Ledger.put_stamp

    def dying(self, *args, **kwargs):
        if is_done:
            real(self, *args, **kwargs)
        raise Killed

    with signer(installation.settings, far.socket):
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "put_stamp", dying)
            with pytest.raises(Killed):
                far.work()
        kept = far.ledger.stamped_xml(OWNER, made.uuid) if is_done else None
        assert far.now(made).status is (Status.ISSUED if is_done else Status.UNSTAMPED)
        far.work_later(minutes=3)
    assert far.now(made).status is Status.REPORTED
    assert kept in (None, far.ledger.stamped_xml(OWNER, made.uuid))
    assert far.accepted() == [made.hash]


def test_a_signer_killed_at_work_loses_nothing(far, installation):
    made = far.issue(1)
    with signer(installation.settings, far.socket, seconds=30) as process:
        process.kill()
        far.work()
    assert far.now(made).status is Status.UNSTAMPED
    with signer(installation.settings, far.socket):
        far.work_later(minutes=1)
    assert far.accepted() == [made.hash]


def test_a_held_unit_holds_what_is_stamped_meanwhile(far, installation):
    made = far.issue(1)
    far.ledger.hold_unit(OWNER, UNIT.id, reason="tests", now=far.clock())
    far.ledger.release_unit(OWNER, UNIT.id, now=far.clock())
    far.ledger.hold_unit(OWNER, UNIT.id, reason="tests", now=far.clock())
    with signer(installation.settings, far.socket):
        far.work()
    assert (far.now(made).status, far.accepted()) == (Status.HELD, [])
    far.ledger.release_unit(OWNER, UNIT.id, now=far.clock())
    far.work_later(seconds=timedelta(seconds=1).total_seconds())
    assert far.accepted() == [made.hash]
