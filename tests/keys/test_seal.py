"""The sealing key: made once, kept sealed, never shown; what it signs is proved by any library and by openssl."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from gateway.errors import Conflict, Misconfigured
from gateway.keys import CERTIFICATE, MasterKey, rewrap, sealing_key, verifies
from gateway.ledger import Ledger

NOW = datetime(2026, 11, 23, 7, 0, 3, 250_000, tzinfo=UTC)
MASTER, OTHER = MasterKey(bytes(32)), MasterKey(bytes(range(32)))


def now():
    return NOW


@pytest.fixture
def store(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture
def key(store):
    return sealing_key(MASTER, store, now=now)


def test_it_is_made_once_and_its_certificate_is_on_record(store, key):
    again = sealing_key(MASTER, store, now=now)
    assert (again.fingerprint, again.pem) == (key.fingerprint, key.pem)
    assert store.mark(CERTIFICATE) == key.pem
    certificate = x509.load_pem_x509_certificate(key.pem.encode())
    assert certificate.not_valid_before_utc == NOW.replace(microsecond=0)
    assert certificate.not_valid_after_utc - NOW > timedelta(days=19 * 365)
    assert certificate.issuer == certificate.subject


def test_two_that_make_it_at_once_have_one(store):
    def make(n):
        return sealing_key(MASTER, store, now=now).fingerprint

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(make, range(4)))) == 1
    with pytest.raises(Conflict):
        store.save_envelope(kind="sealing key", ref="installation", blob=b"another", replace=False)


def test_what_it_signs_is_proved_by_its_certificate_alone(store, key):
    signature = key.sign(b"the books")
    assert verifies(key.certificate, b"the books", signature)
    assert not verifies(key.certificate, b"the cooks", signature)
    assert not verifies(key.certificate, b"the books", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not verifies(key.certificate, b"the books", b"")


def test_openssl_says_the_same(key, tmp_path):
    for name, content in (("seal.pem", key.pem.encode()), ("message", b"m"), ("signature", key.sign(b"m"))):
        (tmp_path / name).write_bytes(content)
    public = subprocess.run(
        ["openssl", "x509", "-in", "seal.pem", "-pubkey", "-noout"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    (tmp_path / "public.pem").write_bytes(public)
    proof = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"]
    assert b"Verified OK" in subprocess.run(proof, cwd=tmp_path, capture_output=True, check=True).stdout
    fingerprint = ["openssl", "x509", "-in", "seal.pem", "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(fingerprint, cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    assert said.strip().partition("=")[2].replace(":", "").lower() == key.fingerprint


def test_it_does_not_show_itself(key):
    private, [certificate] = key.for_xades
    assert certificate == key.certificate
    assert copy.deepcopy(private) is copy.copy(private) is private
    for attempt in (
        lambda: private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.private_numbers,
        lambda: private.exchange(None, None),
        lambda: pickle.dumps(private),
        lambda: pickle.dumps(key),
        lambda: copy.copy(key),
    ):
        with pytest.raises(TypeError, match="sealing key"):
            attempt()
    assert repr(key) == repr(private) == "SealingKey(...)"


def test_signxml_signs_with_it_inside_the_process(key):
    signxml = pytest.importorskip("signxml")
    from signxml.xades import XAdESSigner, XAdESVerifier

    private, certificates = key.for_xades
    signer = XAdESSigner(signature_algorithm="ecdsa-sha256", c14n_algorithm="http://www.w3.org/2006/12/xml-c14n11")
    signed = signer.sign(etree.fromstring("<manifest><file/></manifest>"), key=private, cert=certificates)
    verifier = XAdESVerifier()
    found = verifier.verify(etree.tostring(signed), x509_cert=certificates[0])
    assert found[0].signed_xml is not None
    signed.find("file").text = "another"
    with pytest.raises(signxml.InvalidSignature):
        verifier.verify(etree.tostring(signed), x509_cert=certificates[0])


def test_another_master_key_does_not_open_it_and_a_changed_one_does(store, key):
    with pytest.raises(Misconfigured, match="not the master key"):
        sealing_key(OTHER, store, now=now)
    assert rewrap(MASTER, OTHER, store) == 1
    assert sealing_key(OTHER, store, now=now).fingerprint == key.fingerprint


def test_an_envelope_that_was_changed_and_a_certificate_that_was_exchanged_are_refused(store, key):
    store.put_mark(CERTIFICATE, "another")
    with pytest.raises(Misconfigured, match="not that of the sealing key"):
        sealing_key(MASTER, store, now=now)
    store.save_envelope(kind="sealing key", ref="installation", blob=b"\x01" + bytes(60), replace=True)
    with pytest.raises(Misconfigured, match="does not open"):
        sealing_key(MASTER, store, now=now)


def test_the_command_prints_what_openssl_reads(installation, tmp_path):
    environment = {"GATEWAY_HOME": str(installation.settings.home), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "gateway", "seal", "certificate"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    read = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
    fingerprint = subprocess.run(read, input=said, capture_output=True, text=True, check=True).stdout
    assert fingerprint.strip().partition("=")[2].replace(":", "").lower() in said
    assert "PRIVATE" not in said
