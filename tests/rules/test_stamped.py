"""Stamps are judged as the official SDK judges them, code for code; no document, however broken, makes it raise."""

import base64
import json
import re
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path

import fatoora
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import qr, qr_facts, stamp, ubl
from gateway.chain import FIRST_PIH
from gateway.csid import read_certificate
from gateway.errors import BadInput, UnreadableXml
from gateway.finding import RuleSet, Severity
from gateway.invoice.facts import Profile
from gateway.rules import stamped as judge
from gateway.xml import NAMESPACES, parse
from tests.stamp_documents import CERTIFICATE, OTHER_CERTIFICATE, SIGNING_TIME, SIMPLIFIED, STANDARD, sign, stamped
from tests.ubl_documents import DOCUMENTS, HEADING, LINK

SIGNATURE, QR, PIH = RuleSet.SIGNATURE, RuleSet.QR, RuleSet.PIH
TEXTS = tomllib.loads((Path(judge.__file__).parent / "texts" / "stamped.toml").read_text(encoding="utf-8"))
GOOD = stamped().xml


def faults(xml: bytes, **known):
    found = list(judge.faults(parse(xml), **known))
    assert {fault.rule for fault in found} <= TEXTS.keys()
    return found


def codes(xml: bytes, rule_set: RuleSet, **known) -> list[str]:
    return [fault.rule for fault in faults(xml, **known) if fault.set is rule_set]


def with_qr(*tags: qr.Tag) -> bytes:
    return GOOD.replace(stamped().qr.encode(), qr.encode(tags).encode())


# --- the official verdicts


def verdict(xml: bytes, **known) -> dict[str, object]:
    """Our faults in the form of the recorded verdicts."""
    found = faults(xml, **known)
    in_qr = [fault for fault in found if fault.set is QR]
    return {
        "qr": {
            "errors": [fault.rule for fault in in_qr if fault.severity is Severity.ERROR],
            "warnings": [fault.rule for fault in in_qr if fault.severity is Severity.WARNING],
        },
        "signature": sorted(fault.rule for fault in found if fault.set is SIGNATURE),
        "pih": [fault.rule for fault in found if fault.set is PIH],
    }


@pytest.mark.parametrize("known", ["nothing", "the certificate", "the certificate and the previous hash"])
def test_tampered_samples_get_the_official_codes(shared, known):
    certificate = read_certificate((shared / "vectors" / "cert.pem").read_bytes()) if known != "nothing" else None
    pih = FIRST_PIH if "hash" in known else None
    lines = (shared / "conformance" / "signature" / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 20
    for line in map(json.loads, lines):
        xml = (shared / "conformance" / "signature" / line["file"]).read_bytes()
        expected = {"qr": line["qr"], "signature": sorted(line["signature"]), "pih": line["pih"]}
        assert verdict(xml, certificate=certificate, pih=pih) == expected, line["file"]


def test_official_samples_have_no_fault(shared):
    certificate = read_certificate((shared / "vectors" / "cert.pem").read_bytes())
    samples = list((shared / "conformance" / "samples").glob("*.xml"))
    assert len(samples) == 19
    for sample in samples:
        assert faults(sample.read_bytes(), certificate=certificate, pih=FIRST_PIH) == [], sample.name


# --- our own documents


@pytest.mark.parametrize("body", [SIMPLIFIED, STANDARD], ids=["simplified", "standard"])
def test_what_we_stamp_has_no_fault(body):
    assert faults(stamped(body).xml, certificate=CERTIFICATE, pih=FIRST_PIH) == []


def independent_verdict(xml: bytes, pih: str) -> dict[str, tuple[str, list[object]]]:
    """What another implementation finds, stage by stage."""
    report = fatoora.validate_zatca_invoice_from_str(fatoora.Config(), xml.decode(), previous_invoice_hash=pih)
    return {stage["stage"]: (stage["status"], stage["findings"]) for stage in report["stages"]}


PROVED = dict.fromkeys(("signature", "qr", "previous_invoice_hash"), ("completed", []))


def test_an_independent_implementation_finds_no_fault_in_samples_we_stamp(shared):
    for sample in (shared / "conformance" / "samples").glob("simplified-*.xml"):
        document = stamped(sample.read_bytes())
        assert PROVED.items() <= independent_verdict(document.xml, FIRST_PIH).items(), sample.name
        assert fatoora.invoice_hash_base64_from_xml_str(document.xml.decode()) == document.hash


@pytest.mark.parametrize("name", [name for name, each in DOCUMENTS.items() if each.profile is Profile.SIMPLIFIED])
def test_an_independent_implementation_finds_no_fault_in_documents_we_make(name):
    document = stamped(ubl.render(DOCUMENTS[name], HEADING, LINK))
    assert PROVED.items() <= independent_verdict(document.xml, LINK.pih).items()


def test_an_independent_implementation_finds_the_hash_of_our_own_body():
    for body in (SIMPLIFIED, STANDARD):
        assert fatoora.invoice_hash_base64_from_xml_str(stamped(body).xml.decode()) == stamped(body).hash


@pytest.mark.parametrize(
    ("number", "code", "severity"),
    [
        (1, "sellerName", Severity.ERROR),
        (2, "vatRegistrationNumber", Severity.ERROR),
        (3, "timeStamp", Severity.WARNING),
        (4, "invoice Total", Severity.ERROR),
        (5, "vatTotal", Severity.ERROR),
        (6, "hashedXml", Severity.ERROR),
        (7, "digital signature", Severity.ERROR),
        (8, "publicKey", Severity.ERROR),
        (9, "certificate signature", Severity.ERROR),
    ],
)
def test_each_tag_of_the_qr_must_be_there_and_right(number, code, severity):
    tags = qr.decode(stamped().qr)
    wrong = [replace(tag, value=tag.value + b"1") if tag.number == number else tag for tag in tags]
    missing = [tag for tag in tags if tag.number != number]
    for changed in (wrong, missing):
        (fault,) = faults(with_qr(*changed))
        assert (fault.set, fault.rule, fault.severity) == (QR, code, severity)


def test_a_qr_that_is_missing_broken_or_says_a_thing_twice():
    tags = qr.decode(stamped().qr)
    assert codes(GOOD.replace(b"<cbc:ID>QR<", b"<cbc:ID>Q<"), QR) == ["QR-Code"]
    assert codes(GOOD.replace(stamped().qr.encode(), b"%%"), QR) == ["QR-Code"]
    assert codes(GOOD.replace(stamped().qr.encode(), stamped().qr[:-4].encode()), QR) == ["QR-Code"]
    assert codes(with_qr(*tags, tags[3]), QR) == ["QR-Code"]


def test_a_standard_document_is_the_authoritys_to_stamp():
    assert faults(STANDARD) == []
    assert faults(stamped(STANDARD).xml.replace(b"114.99", b"1.00")) == []


def test_whoever_names_a_certificate_wants_the_stamp_of_a_standard_document_too():
    assert codes(STANDARD, SIGNATURE, certificate=CERTIFICATE) == ["GW-STAMP-MISSING"]
    changed = stamped(STANDARD).xml.replace(b"114.99", b"1.00")
    assert codes(changed, SIGNATURE, certificate=CERTIFICATE) == ["invoiceSignedDataDigestValue", "signatureValue"]


def test_a_simplified_document_without_a_stamp():
    found = faults(SIMPLIFIED)
    assert [(fault.set, fault.rule) for fault in found] == [(QR, "QR-Code"), (SIGNATURE, "GW-STAMP-MISSING")]


def test_a_stamp_by_another_certificate():
    assert codes(GOOD, SIGNATURE, certificate=OTHER_CERTIFICATE) == ["X509SerialNumber"]
    twin = replace(OTHER_CERTIFICATE, issuer=CERTIFICATE.issuer, serial=CERTIFICATE.serial)
    assert codes(GOOD, SIGNATURE, certificate=twin) == ["invalid-signing-certificate"]


def test_a_signature_by_another_key():
    foreign = stamp.stamp(SIMPLIFIED, sign=sign, certificate=OTHER_CERTIFICATE, signing_time=SIGNING_TIME).xml
    assert codes(foreign, SIGNATURE) == ["signatureValue"]


def test_a_seller_that_the_certificate_is_not_for():
    other = SIMPLIFIED.replace(b"399999999900003", b"310122393500003")
    assert codes(stamped(other).xml, SIGNATURE) == ["certificate-permissions"]
    assert codes(stamped(other.replace(b"0200000", b"0210000")).xml, SIGNATURE) == []


@pytest.mark.parametrize("text", [b"", b"AAAA", b"%", b"MIIBAA==", CERTIFICATE.text[:200].encode()])
def test_a_certificate_that_cannot_be_read(text):
    broken = GOOD.replace(CERTIFICATE.text.encode(), text)
    assert codes(broken, SIGNATURE) == ["certificate"]
    assert codes(broken, QR) == ["publicKey", "certificate signature"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"T10:00:03</xades", b"T10:00:04</xades", ["xadesSignedPropertiesDigestValue"]),
        (b"CN=GATEWAY-TEST-CA, DC", b"CN=GATEWAY-TEST-CA,DC", ["xadesSignedPropertiesDigestValue", "X509IssuerName"]),
        (b"RUH1-000001", b"RUH1-000002", ["invoiceSignedDataDigestValue", "signatureValue"]),
        (b"<xades:SigningTime>", b"<xades:SigningTime >", []),
        (b"<xades:SigningCertificate>\n", b"<xades:SigningCertificate>", ["xadesSignedPropertiesDigestValue"]),
    ],
)
def test_a_stamp_that_was_touched(old, new, expected):
    assert codes(GOOD.replace(old, new), SIGNATURE) == expected


def test_a_stamp_in_windows_line_ends_still_holds():
    assert faults(GOOD.replace(b"\n", b"\r\n"), certificate=CERTIFICATE) == []


@pytest.mark.parametrize(
    "wrap",
    [
        lambda xml: xml.replace(b"</Invoice>", b"<ext:UBLExtensions>forged</ext:UBLExtensions></Invoice>"),
        lambda xml: xml.replace(b"</Invoice>", b"<cac:Signature>forged</cac:Signature></Invoice>"),
        lambda xml: xml.replace(b"</Invoice>", b'<x:Signature xmlns:x="urn:x">forged</x:Signature></Invoice>'),
        lambda xml: xml.replace(b"<ds:KeyInfo>", b'<ds:Signature Id="signature"></ds:Signature><ds:KeyInfo>'),
        lambda xml: xml.replace(
            b"<cac:TaxTotal>",
            b"<cac:AdditionalDocumentReference><cbc:ID>QR</cbc:ID></cac:AdditionalDocumentReference><cac:TaxTotal>",
        ),
        lambda xml: re.sub(rb"(<cac:Signature>.*</cac:Signature>)", rb"<cac:X>\1</cac:X>", xml, flags=re.DOTALL),
    ],
)
def test_what_hides_behind_the_stamp_is_noticed(wrap):
    """All of these leave the hash as it is or nearly so, since the hash leaves out whatever looks like a stamp."""
    assert "GW-STAMP-AMBIGUOUS" in codes(wrap(GOOD), SIGNATURE)


# --- the previous hash


@pytest.mark.parametrize(
    ("pih", "known", "expected"),
    [
        (FIRST_PIH, None, []),
        (FIRST_PIH, FIRST_PIH, []),
        (stamped().hash, None, []),
        (stamped().hash, stamped().hash, []),
        (FIRST_PIH, stamped().hash, ["KSA-13"]),
        (stamped().hash, FIRST_PIH, ["KSA-13"]),
        ("N" + FIRST_PIH[1:-4], None, ["KSA-13"]),
        ("", None, ["KSA-13"]),
        ("قهوة", None, ["KSA-13"]),
    ],
)
def test_the_previous_hash(pih, known, expected):
    xml = GOOD.replace(FIRST_PIH.encode(), pih.encode())
    assert codes(xml, PIH, pih=known) == expected


def test_a_document_without_a_previous_hash():
    assert codes(STANDARD.replace(b"<cbc:ID>PIH<", b"<cbc:ID>P<"), PIH) == ["KSA-13"]


# --- hostile documents


def test_the_tree_is_left_as_it_is():
    root = parse(GOOD)
    list(judge.faults(root, certificate=CERTIFICATE))
    assert etree.tostring(root) == etree.tostring(parse(GOOD))


def test_a_flood_of_signatures_costs_no_time():
    flood = GOOD.replace(b"</Invoice>", b"<cac:Signature/>" * 100_000 + b"</Invoice>")
    assert "GW-STAMP-AMBIGUOUS" in codes(flood, SIGNATURE)
    assert "invoiceSignedDataDigestValue" in codes(flood, SIGNATURE)


def test_signed_properties_without_end_cost_no_time():
    declarations = b"".join(b' xmlns:p%d="u:%d"' % (number, number) for number in range(20_000))
    tag = b'<xades:SignedProperties Id="xadesSignedProperties"'
    flood = GOOD.replace(tag, tag + declarations).replace(b"</xades:Cert>", b"</xades:Cert>" + b"<xades:x/>" * 20_000)
    assert codes(flood, SIGNATURE) == ["xadesSignedPropertiesDigestValue"]


def test_a_document_without_a_canonical_form():
    assert "signatureValue" in codes(GOOD.replace(b"</Invoice>", b'<x:y xmlns:x="relative"/></Invoice>'), SIGNATURE)


elements = st.integers(0, sum(1 for _ in parse(GOOD).iter(etree.Element)) - 1)
texts = st.sampled_from(["", "AAAA", "قهوة", "%", " ", "9" * 5000, "2026-02-31", base64.b64encode(bytes(32)).decode()])


@st.composite
def mutations(draw):
    """The good document with elements emptied, removed, doubled, moved, renamed or filled with something else."""
    root = parse(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        everything = list(root.iter(etree.Element))
        element, other = (everything[draw(elements) % len(everything)] for _ in range(2))
        what = draw(st.sampled_from(["text", "remove", "double", "move", "rename", "attribute"]))
        if what == "text":
            element.text = draw(texts)
        elif what == "attribute":
            element.set(draw(st.sampled_from(["Id", "name", "{urn:x}y"])), draw(texts))
        elif what == "rename":
            element.tag = other.tag
        elif element is not root and what == "remove":
            element.getparent().remove(element)
        elif element is not root and what == "double":
            element.addnext(parse(etree.tostring(element, with_tail=False)))
        elif element is not root and what == "move" and element not in other.iterancestors() and element is not other:
            other.append(element)
    return etree.tostring(root)


@settings(max_examples=150, deadline=None)
@given(mutations(), st.sampled_from([None, CERTIFICATE, OTHER_CERTIFICATE]), st.sampled_from([None, FIRST_PIH, ""]))
def test_whatever_is_done_to_a_document_faults_are_the_answer(xml, certificate, pih):
    faults(xml, certificate=certificate, pih=pih)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_no_single_byte_changes_unnoticed(at, bytes_):
    """Every byte of the body, of the QR, of the signed properties, of certificate and signature is guarded."""
    changed = GOOD[:at] + bytes_ + GOOD[at + len(bytes_) :]
    try:
        root = parse(changed)
        untouched = _guarded(root) == _guarded(parse(GOOD))
    except UnreadableXml:
        return
    except BadInput:
        untouched = False
    if qr_facts.is_simplified(root) and not untouched:
        assert list(judge.faults(root, certificate=CERTIFICATE))


def _guarded(root: etree._Element) -> tuple[str, ...]:
    signature = root.find("ext:UBLExtensions//ds:Signature", NAMESPACES)
    paths = ("ds:SignatureValue", ".//ds:X509Certificate", ".//ds:X509IssuerName", ".//xades:SigningTime")
    inside = (signature.findtext(path, "", NAMESPACES) for path in paths) if signature is not None else ()
    return (stamp.hash_of(root), qr_facts.qr_of(root), *inside)


def test_a_certificate_with_a_key_on_another_curve():
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "P-256")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(SIGNING_TIME)
        .not_valid_after(SIGNING_TIME.replace(year=2027))
        .sign(key, SHA256(), ecdsa_deterministic=True)
    )
    certificate = read_certificate(made.public_bytes(Encoding.DER))
    by_it = partial(key.sign, signature_algorithm=ec.ECDSA(SHA256(), deterministic_signing=True))
    xml = stamp.stamp(SIMPLIFIED, sign=by_it, certificate=certificate, signing_time=SIGNING_TIME).xml
    assert codes(xml, SIGNATURE) == ["signatureValue"]


# --- words


def test_every_code_has_words_in_both_languages():
    for code, entry in TEXTS.items():
        assert {"means", "term", "en", "ar", "fix_en", "fix_ar"} == entry.keys(), code
        assert all(re.search("[\u0600-\u06ff]", entry[key]) for key in ("ar", "fix_ar")), code
        assert all(entry[key].format(value="x") for key in entry), code
        assert ("{value}" in entry["en"]) == ("{value}" in entry["ar"]), code


def test_no_words_without_a_code():
    source = Path(judge.__file__).read_text(encoding="utf-8")
    assert {code for code in TEXTS if f'"{code}"' not in source} == set()
