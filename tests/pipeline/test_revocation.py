"""A certificate on the authority's list never stamps again; a list that is not proved revokes nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.crl import list_addresses, read_revocation_list
from gateway.csid import read_certificate
from gateway.errors import Unavailable
from gateway.ledger import KeptList
from gateway.pipeline.revocation import check_revocations
from gateway.pipeline.validity import certificate_warnings, certificates_in_use, watch_certificates
from gateway.simulator.ca import CertificateAuthority
from tests.installation import OWNER, UNIT
from tests.pipeline.conftest import opened
from tests.stamp_documents import CERTS

OTHER = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody else")])


@pytest.fixture(autouse=True)
def _nothing_stays_revoked(authority):
    """The simulator is shared by all tests."""
    yield
    for csid in authority.state.csids.values():
        csid.revoked_at = None


@pytest.fixture
def current(site):
    return site.ledger.current_csid(OWNER, UNIT.id)


def check(site):
    (checked,) = asyncio.run(check_revocations(site.gateway, certificates_in_use(site.gateway)))
    return checked


def revoke(site, csid):
    assert site.authority.state.revoke(csid.request_id)


def test_a_good_certificate_goes_on(site, current):
    checked = check(site)
    assert (checked.is_revoked, checked.doubt) == (False, None)
    assert site.issue(1).icv == 1


def test_a_revoked_certificate_never_stamps_again(site, current):
    issued = site.issue(1)
    revoke(site, current)
    assert check(site).is_revoked
    with pytest.raises(Unavailable, match="was revoked") as refused:
        site.issue(2)
    assert "gateway onboard" in refused.value.fix
    assert "ألغيت" in refused.value.ar.replace("أُ", "أ")
    assert site.head().icv == issued.icv + 1
    (entry,) = [each for each in site.ledger.audit_log(OWNER) if each.action == "csid.revoked"]
    assert (entry.object, entry.detail["unit"]) == (current.id, UNIT.id)
    revoked_at = site.ledger.csid(current.id).revoked_at
    site.clock.move(timedelta(days=1))
    assert check(site).is_revoked
    assert site.ledger.csid(current.id).revoked_at == revoked_at


def test_a_list_is_used_for_some_hours_and_without_the_authority_for_days(site, current, monkeypatch):
    check(site)
    revoke(site, current)
    assert not check(site).is_revoked  # the list is fresh enough
    monkeypatch.setattr(
        "gateway.pipeline.revocation._Net.fetch", lambda self, url: _raised(Unavailable("It does not answer."))
    )
    site.clock.move(timedelta(days=5))
    assert check(site).doubt is None
    site.clock.move(timedelta(days=1, hours=1))  # its next update was due
    assert "does not answer" in check(site).doubt.en
    assert site.issue(1).icv == 1
    monkeypatch.undo()
    assert check(site).is_revoked


async def _raised(error):
    raise error


def test_no_list_is_used_longer_than_a_week(site, current):
    url = list_addresses(read_certificate(current.certificate.encode()))[0]
    body = site.authority.state.revocation_list()
    far = site.clock() + timedelta(days=365)
    site.ledger.keep_revocation_list(KeptList(url, site.clock(), far, body))
    revoke(site, current)
    site.clock.move(timedelta(days=7))
    assert check(site).is_revoked


def of_another_issuer(site, csid, *, name=None):
    """A list that names the certificate, signed by somebody else."""
    ca = site.authority.state.ca
    serial = read_certificate(csid.certificate.encode()).serial
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(site.clock()).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(name or ca.name).last_update(site.clock())
    builder = builder.next_update(site.clock() + timedelta(days=5)).add_revoked_certificate(entry)
    return builder.sign(ec.generate_private_key(ec.SECP256K1()), SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        (of_another_issuer, "did not sign it. It names the certificate"),
        (lambda site, csid: of_another_issuer(site, csid, name=OTHER), "name of another issuer"),
        (lambda site, csid: b"<html>", "that can be read"),
        (lambda site, csid: b"", "that can be read"),
    ],
    ids=["another's signature", "another's name", "html", "nothing"],
)
def test_a_doubtful_list_revokes_nothing(site, current, monkeypatch, forged, says):
    body = forged(site, current)
    monkeypatch.setattr(site.authority.state, "revocation_list", lambda: body)
    checked = check(site)
    assert not checked.is_revoked
    assert says in checked.doubt.en
    assert checked.doubt.ar
    assert site.issue(1).icv == 1
    url = list_addresses(read_certificate(current.certificate.encode()))[0]
    assert site.ledger.revocation_list(url) is None


def test_a_list_that_was_kept_for_another_issuer_says_nothing_of_this_one(site, current):
    url = list_addresses(read_certificate(current.certificate.encode()))[0]
    body = of_another_issuer(site, current, name=OTHER)
    site.ledger.keep_revocation_list(KeptList(url, site.clock(), site.clock() + timedelta(days=5), body))
    assert (check(site).is_revoked, check(site).doubt) == (False, None)
    assert read_revocation_list(site.ledger.revocation_list(url).body).is_of_issuer(
        read_certificate(current.certificate.encode())
    )


def test_an_issuer_that_cannot_be_had_leaves_a_doubt_until_it_is_configured(site, installation, current, tmp_path):
    state = site.authority.state
    pem = state.ca.certificate.public_bytes(Encoding.PEM)
    file = tmp_path / "ca.pem"
    revoke(site, current)
    another = CertificateAuthority(site.clock()).certificate.public_bytes(Encoding.DER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(state.ca), "der", property(lambda self: another))
        assert "issuer's certificate is not known" in check(site).doubt.en
        file.write_bytes(pem)
        with opened(installation, authority_ca=file) as configured:
            assert check(configured).is_revoked
        file.write_bytes(b"nothing")
    with opened(installation, authority_ca=file) as configured:
        assert check(configured).is_revoked  # decided, whatever the file says now


def test_a_file_of_issuers_that_holds_none(site, installation, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with opened(installation, authority_ca=file) as configured:
        assert "GATEWAY_AUTHORITY_CA" in check(configured).doubt.en


def test_a_list_on_this_machine_is_read_only_of_an_authority_on_this_machine(installation, authority):
    with opened(installation, authority_url="https://authority.example") as site:
        asked = len(site.authority.state.exchanges)
        assert "not" in check(site).doubt.en
        assert len(site.authority.state.exchanges) == asked
        assert not check(site).is_revoked


def test_an_answer_that_never_ends_is_cut_off(site, current, monkeypatch):
    monkeypatch.setattr(site.authority.state, "revocation_list", lambda: b"0" * 6_000_000)
    assert "larger than 5000000 bytes" in check(site).doubt.en


def test_an_entry_that_takes_another_back(site, current):
    ca, certificate = site.authority.state.ca, read_certificate(current.certificate.encode())
    entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial).revocation_date(site.clock())
    entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.name).last_update(site.clock())
    builder = builder.next_update(site.clock() + timedelta(days=5)).add_revoked_certificate(entry.build())
    found = read_revocation_list(builder.sign(ca.key, SHA256()).public_bytes(Encoding.DER))
    assert found.names(certificate) is None
    assert found.is_signed_by(ca.certificate)


def test_a_certificate_that_names_no_list_is_not_looked_up(site, current, monkeypatch):
    monkeypatch.setattr("gateway.pipeline.revocation.list_addresses", lambda certificate: ())
    asked = len(site.authority.state.exchanges)
    assert check(site) == (current, False, None)
    assert len(site.authority.state.exchanges) == asked
    assert list_addresses(read_certificate((CERTS / "unit.pem").read_bytes())) == ()


def test_of_a_certificate_that_names_no_list_the_one_that_is_set_is_read(site, installation, current, monkeypatch):
    (url,) = list_addresses(read_certificate(current.certificate.encode()))
    monkeypatch.setattr("gateway.pipeline.revocation.list_addresses", lambda certificate: ())
    revoke(site, current)
    with opened(installation, authority_crl=url) as configured:
        assert check(configured).is_revoked


# -- how long it still holds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (timedelta(days=400), None),
        (timedelta(days=91), None),
        (timedelta(days=90), 90),
        (timedelta(days=31), 90),
        (timedelta(days=30), 30),
        (timedelta(days=8), 30),
        (timedelta(days=7), 7),
        (timedelta(hours=1), 7),
        (-timedelta(seconds=1), 0),
        (-timedelta(days=9), 0),
    ],
)
def test_a_certificate_is_warned_of_90_30_and_7_days_before_its_end(site, current, left, level):
    found = certificate_warnings([current], current.not_after - left)
    assert [each.level for each in found] == ([] if level is None else [level])
    for each in found:
        assert each.days_left == left.days
        assert UNIT.id in each.message.en
        assert UNIT.id in each.message.ar


def test_a_revoked_one_is_said_to_be_revoked_however_long_it_would_hold(current, site):
    (warning,) = certificate_warnings([replace(current, revoked_at=site.clock())], site.clock())
    assert warning.level is None
    assert "was revoked" in warning.message.en


def watch(site):
    return asyncio.run(watch_certificates(site.gateway))


def test_each_warning_is_logged_once_a_level(site, current, log):
    assert watch(site).warnings == ()
    site.clock.move(current.not_after - site.clock() - timedelta(days=80))
    assert [each.level for each in watch(site).warnings] == [90]
    assert [each.level for each in watch(site).warnings] == [90]
    site.clock.move(timedelta(days=52))
    watch(site)
    watch(site)
    site.clock.move(timedelta(days=29))
    watch(site)
    told = [
        (each["event"], each["log_level"], each["days_left"]) for each in log if each["event"] == "certificate_ends"
    ]
    assert told == [
        ("certificate_ends", "warning", 80),
        ("certificate_ends", "warning", 28),
        ("certificate_ends", "error", -1),
    ]
    with pytest.raises(Unavailable, match="valid only from"):
        site.issue(1)


def test_a_revocation_and_a_doubt_are_logged_once(site, current, log, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.authority.state, "revocation_list", lambda: b"")
        assert [each.csid.id for each in watch(site).doubts] == [current.id]
        watch(site)
    revoke(site, current)
    assert [each.level for each in watch(site).warnings] == [None]
    watch(site)
    assert [each["event"] for each in log] == ["revocation_in_doubt", "certificate_revoked"]


@pytest.fixture
def log():
    import structlog

    with structlog.testing.capture_logs() as told:
        yield told
