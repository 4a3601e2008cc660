"""Lists of revoked certificates: what they say of a certificate, and whose they are."""

import random
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.crl import (
    issuer_addresses,
    issuer_among,
    list_addresses,
    read_issuers,
    read_revocation_list,
)
from gateway.csid import read_certificate
from gateway.errors import BadInput
from gateway.simulator.ca import CertificateAuthority

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def ca():
    return CertificateAuthority(NOW)


@pytest.fixture(scope="module")
def unit(ca):
    """A certificate of this authority, for itself."""
    return read_certificate(ca.certificate.public_bytes(Encoding.DER))


def listed(ca, serial, *, reason=None, key=None, name=None):
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
    if reason:
        entry = entry.add_extension(x509.CRLReason(reason), critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(name or ca.name).last_update(NOW)
    builder = builder.next_update(NOW + timedelta(days=6)).add_revoked_certificate(entry.build())
    return read_revocation_list(builder.sign(key or ca.key, SHA256()).public_bytes(Encoding.DER))


def test_a_certificate_on_the_list_is_named_with_its_moment(ca, unit):
    found = listed(ca, unit.serial)
    assert found.names(unit) == NOW
    assert (found.this_update, found.next_update) == (NOW, NOW + timedelta(days=6))
    assert listed(ca, unit.serial + 1).names(unit) is None


@pytest.mark.parametrize(
    ("reason", "is_revoked"),
    [
        (x509.ReasonFlags.key_compromise, True),
        (x509.ReasonFlags.certificate_hold, True),
        (x509.ReasonFlags.remove_from_crl, False),
    ],
)
def test_an_entry_may_take_another_back(ca, unit, reason, is_revoked):
    assert (listed(ca, unit.serial, reason=reason).names(unit) is not None) is is_revoked


def broken_list(ca, serial, find, put):
    """A list whose bytes are whole to a first look, and not where it is read in detail."""
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
    entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.name).last_update(NOW)
    builder = builder.next_update(NOW + timedelta(days=6)).add_revoked_certificate(entry.build())
    der = builder.sign(ca.key, SHA256()).public_bytes(Encoding.DER)
    assert der.count(find) == 1
    return read_revocation_list(der.replace(find, put))


REASON = b"\x55\x1d\x15\x04\x03\x0a\x01\x01"


def test_an_entry_whose_reason_cannot_be_read_is_revoked(ca, unit):
    for put in (REASON[:-1] + b"\x31", REASON[:-2] + b"\x05\x01"):
        assert broken_list(ca, unit.serial, REASON, put).names(unit) == NOW


def test_whatever_a_list_hides_is_told_as_a_list_that_cannot_be_read(ca, unit):
    der = listed(ca, unit.serial, reason=x509.ReasonFlags.key_compromise)._crl.public_bytes(Encoding.DER)
    chance, read = random.Random(7), 0
    for _ in range(4000):
        spoilt = bytearray(der)
        spoilt[chance.randrange(len(der))] = chance.randrange(256)
        with suppress(BadInput):
            found = read_revocation_list(bytes(spoilt))
            read += 1
            found.is_of_issuer(unit)
            found.is_signed_by(ca.certificate)
            found.names(unit)
    assert read > 100


def test_a_list_is_its_issuers_by_signature_and_not_by_name(ca, unit):
    forged = listed(ca, unit.serial, key=ec.generate_private_key(ec.SECP256K1()))
    assert forged.is_of_issuer(unit)
    assert not forged.is_signed_by(ca.certificate)
    own = listed(ca, unit.serial)
    assert (own.is_of_issuer(unit), own.is_signed_by(ca.certificate)) == (True, True)
    other = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody else")])
    assert not listed(ca, unit.serial, name=other).is_of_issuer(unit)


def test_an_issuer_is_the_one_that_signed(ca, unit):
    other = CertificateAuthority(NOW)
    assert issuer_among([other.certificate, ca.certificate], unit) is ca.certificate
    assert issuer_among([other.certificate], unit) is None  # though it bears the same name
    assert issuer_among([], unit) is None


def test_issuers_come_in_pem_and_der(ca):
    pem, der = (ca.certificate.public_bytes(encoding) for encoding in (Encoding.PEM, Encoding.DER))
    assert read_issuers(der) == (ca.certificate,)
    assert read_issuers(pem * 2) == (ca.certificate, ca.certificate)


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x30\x03\x02\x01\x01", b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_neither_a_list_nor_a_certificate(data):
    with pytest.raises(BadInput, match="list of revoked certificates"):
        read_revocation_list(data)
    with pytest.raises(BadInput, match="are not certificates"):
        read_issuers(data)


def test_a_published_certificate_names_its_issuer_and_no_list(shared):
    """One of the authority's own, out of a signed sample."""
    sample = (shared / "conformance" / "signature" / "qr-hash.xml").read_text(encoding="utf-8")
    found = re.search(r"X509Certificate>([A-Za-z0-9+/=\s]+)<", sample)
    certificate = read_certificate(found[1].encode())
    (address,) = issuer_addresses(certificate)
    assert address.startswith("http://aia4.zatca.gov.sa/")
    assert list_addresses(certificate) == ()
