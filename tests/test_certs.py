"""The certificates the tests sign with are what their script makes, byte for byte, and look like real ones."""

import runpy
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.csid import read_certificate

CERTS = Path(__file__).parents[1] / "certs"


def test_the_script_makes_the_files_that_lie_there():
    made = runpy.run_path(str(CERTS / "make.py"))["files"]()
    assert made == {file.name: file.read_bytes() for file in (CERTS / "test").iterdir()}


def test_the_unit_is_certified_by_the_test_authority():
    ca, unit = (
        x509.load_pem_x509_certificate((CERTS / "test" / f"{name}.pem").read_bytes()) for name in ("ca", "unit")
    )
    unit.verify_directly_issued_by(ca)
    key = ca.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(unit.signature, unit.tbs_certificate_bytes, ec.ECDSA(SHA256()))


def test_the_unit_has_the_facts_of_a_real_one():
    unit = read_certificate((CERTS / "test" / "unit.pem").read_bytes())
    assert (unit.vat, unit.invoice_types) == ("399999999900003", "1100")
    assert unit.issuer == "CN=GATEWAY-TEST-CA, DC=gateway-test, DC=gov, DC=local"
    assert unit.not_after.year == 2049


def test_a_real_certificate_has_the_same_extensions(shared):
    real = x509.load_der_x509_certificate(read_certificate((shared / "vectors" / "cert.pem").read_bytes()).der)
    ours = x509.load_pem_x509_certificate((CERTS / "test" / "unit.pem").read_bytes())
    assert [(each.oid, each.critical) for each in ours.extensions] == [
        (each.oid, each.critical) for each in real.extensions
    ]
