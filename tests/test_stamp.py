"""The stamp: the official samples are rebuilt byte for byte, and no spelling of an invoice is damaged by one."""

import base64
import csv
import hashlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from signxml.processor import get_schema

from gateway import qr
from gateway.csid import read_certificate
from gateway.dom4j import printed
from gateway.errors import BadInput, UnreadableXml
from gateway.invoice.facts import RIYADH
from gateway.stamp import (
    hash_of,
    hex_digest,
    invoice_hash,
    qr_facts,
    qr_text,
    signed_properties_digest,
    stamp,
    stamp_parts,
)
from gateway.xml import DS, NAMESPACES, XADES, canonical, parse
from tests.stamp_documents import CERTIFICATE, SIGNING_TIME, SIMPLIFIED, STANDARD, sign, stamped

SUPPLIER = b"<cac:AccountingSupplierParty>"
XMLNS_EXT = b' xmlns:ext="urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"'

SPELLINGS = {
    "as it is": lambda xml: xml,
    "with a declaration": lambda xml: b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml,
    "with a byte order mark": lambda xml: b"\xef\xbb\xbf" + xml,
    "with Windows line ends": lambda xml: xml.replace(b"\n", b"\r\n"),
    "with comments": lambda xml: b"<!-- a > b -->" + xml.replace(SUPPLIER, b"<!--" + SUPPLIER + b"-->" + SUPPLIER),
    "with character references": lambda xml: xml.replace(b"RUH1", b"RUH&#49;").replace(b"> <", b">&#32;<"),
    "with CDATA": lambda xml: xml.replace(b">15.00<", b"><![CDATA[15.00]]><"),
    "with single quotes": lambda xml: re.sub(rb'="([^"]*)"', rb"='\1'", xml),
    "with blanks in tags": lambda xml: xml.replace(b"<cbc:ID>", b"<cbc:ID >").replace(b"<Invoice ", b"<Invoice \n  "),
    "with a blank before the root tag ends": lambda xml: xml.replace(b'2">', b'2"\n>', 1),
    "with a processing instruction": lambda xml: b"<?show me?>" + xml,
}
"""Ways to write one and the same document; only a processing instruction is part of the canonical form."""


def body_of(sample: bytes) -> bytes:
    """An official sample without its stamp, cut out by eye and not by what is tested here."""
    without = re.sub(rb"<ext:UBLExtensions>.*</ext:UBLExtensions>", b"", sample, flags=re.DOTALL)
    start, end = without.rindex(b"<cac:AdditionalDocumentReference>"), without.index(b"</cac:Signature>")
    return without[:start] + without[end + len(b"</cac:Signature>") :]


def content_of(sample: bytes, tag: bytes) -> str:
    return re.search(b"<" + tag + b">([^<]*)", sample)[1].decode()


def rebuilt(sample: bytes, body: bytes, certificate):
    """A sample's document made anew from a body, with the time and the (random) signature that the sample has."""
    return stamp(
        body,
        sign=lambda _: base64.b64decode(content_of(sample, b"ds:SignatureValue")),
        certificate=certificate,
        signing_time=datetime.fromisoformat(content_of(sample, b"xades:SigningTime")).replace(tzinfo=RIYADH),
    )


@pytest.fixture(scope="module")
def samples(shared):
    """The 19 official samples: bytes, and what was recorded of them."""
    with (shared / "vectors" / "vectors.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 19
    return [((shared / "conformance" / "samples" / row["sample"]).read_bytes(), row) for row in rows]


@pytest.fixture(scope="module")
def official_certificate(shared):
    return read_certificate((shared / "vectors" / "cert.pem").read_bytes())


def test_the_official_hashes(samples):
    for sample, row in samples:
        assert invoice_hash(sample) == row["invoice_hash(recomputed)"], row["sample"]


def test_the_official_hashes_do_not_depend_on_spelling(samples):
    for sample, row in samples:
        expected = row["invoice_hash(recomputed)"]
        assert invoice_hash(sample.replace(b"\n", b"\r\n")) == expected
        assert invoice_hash(sample.removeprefix(b'<?xml version="1.0" encoding="UTF-8"?>\n')) == expected
        assert invoice_hash(sample.replace(b"<cbc:ProfileID>", b"<!-- c --><cbc:ProfileID>")) == expected
        assert invoice_hash(sample.replace(b">reporting:1.0<", b">r&#101;porting:1.0<")) == expected
        assert invoice_hash(sample.replace(b"<cbc:ProfileID>", b" <cbc:ProfileID>")) != expected


def test_the_official_canonical_bytes(samples, shared):
    forms = {file.read_bytes() for file in (shared / "vectors" / "canonical").iterdir()}
    assert {canonical(parse(body_of(sample))) for sample, _ in samples} == forms


def test_every_official_sample_is_rebuilt_byte_for_byte(samples, official_certificate):
    for sample, row in samples:
        document = rebuilt(sample, body_of(sample), official_certificate)
        assert document.xml == sample, row["sample"]
        assert (document.hash, document.qr) == (row["invoice_hash(recomputed)"], row["qr_base64"])


def test_an_official_sample_stamped_again_stays_as_it_is(samples, official_certificate):
    for sample, _ in samples:
        assert rebuilt(sample, sample, official_certificate).xml == sample


def test_the_official_digest_of_the_signed_properties(samples):
    for sample, row in samples:
        properties = parse(sample).find(".//xades:SignedProperties", NAMESPACES)
        assert signed_properties_digest(properties) == row["signed_properties_digest"]


def test_the_canonical_bytes_of_a_sample_are_stamped_where_they_are(shared, official_certificate):
    for file in (shared / "vectors" / "canonical").iterdir():
        form = file.read_bytes()
        document = stamp(form, sign=sign, certificate=official_certificate, signing_time=SIGNING_TIME)
        assert document.hash == invoice_hash(form) == invoice_hash(document.xml)


# --- our own


def test_what_a_document_holds():
    document = stamped()
    assert document.uuid == "8e6000cf-1a98-4174-b3e7-b5d5954bc10d"
    assert document.hash == invoice_hash(document.xml) == invoice_hash(SIMPLIFIED)
    assert document.qr == qr_text(document.xml)
    assert content_of(document.xml, b"ds:SignatureValue") == document.signature
    assert content_of(document.xml, b"xades:SigningTime") == "2026-11-23T10:00:03"
    assert CERTIFICATE.verifies(base64.b64decode(document.signature), base64.b64decode(document.hash))


def test_the_key_is_asked_for_one_signature_over_the_32_bytes_of_the_hash():
    asked = []

    def remembering(message: bytes) -> bytes:
        asked.append(message)
        return sign(message)

    document = stamp(SIMPLIFIED, sign=remembering, certificate=CERTIFICATE, signing_time=SIGNING_TIME)
    assert asked == [base64.b64decode(document.hash)]
    assert len(asked[0]) == 32


def test_the_signing_time_is_riyadhs_whatever_the_zone_it_came_in():
    document = stamp(SIMPLIFIED, sign=sign, certificate=CERTIFICATE, signing_time=SIGNING_TIME.astimezone(UTC))
    assert document == stamped()


def test_the_tags_of_the_qr():
    simplified, standard = qr.decode(stamped().qr), qr.decode(stamped(STANDARD).qr)
    assert [tag.number for tag in simplified] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [tag.number for tag in standard] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [tag.shown for tag in simplified[:5]] == [
        "متجر القهوة | Coffee & Co", "399999999900003", "2026-11-23T10:00:03", "114.99", "15.00",
    ]  # fmt: skip
    assert [tag.value for tag in simplified[5:]] == [
        stamped().hash.encode(), stamped().signature.encode(), CERTIFICATE.public_key, CERTIFICATE.ca_signature,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("date", "time", "shown"),
    [
        ("2026-11-23", "10:00:03", "2026-11-23T10:00:03"),
        ("2026-11-23", "22:30:00Z", "2026-11-24T01:30:00"),
        ("9999-12-31", "22:30:00Z", "9999-12-31T22:30:00Z"),
        ("rubbish", "Z", "rubbishTZ"),
    ],
)
def test_a_time_in_utc_is_moved_to_riyadh_in_the_qr(date, time, shown):
    body = SIMPLIFIED.replace(b"2026-11-23", date.encode()).replace(b"10:00:03", time.encode())
    assert qr_facts(parse(body)).time_stamp == shown


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("body", [SIMPLIFIED, STANDARD], ids=["simplified", "standard"])
def test_any_spelling_is_stamped_without_changing_a_byte_of_it(spell, body):
    spelled = spell(body)
    document = stamped(spelled)
    assert document.hash == invoice_hash(spelled) == invoice_hash(document.xml)
    root = parse(document.xml)
    assert [part.getparent() is root for part in stamp_parts(root) if part.prefix != "ds"] == [True] * 3
    extensions, references = (re.compile(each, re.DOTALL) for each in (
        b"<ext:UBLExtensions>.*</ext:UBLExtensions>",
        b"<cac:AdditionalDocumentReference>(?:(?!<cac:Add).)*<cbc:ID>QR<.*</cac:Signature>",
    ))  # fmt: skip
    assert references.sub(b"", extensions.sub(b"", document.xml)) == spelled


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_stamping_again_replaces_the_stamp(spell):
    once = stamped(spell(SIMPLIFIED)).xml
    later = stamp(once, sign=sign, certificate=CERTIFICATE, signing_time=SIGNING_TIME.replace(hour=11))
    assert later.xml == once.replace(b"T10:00:03</xades", b"T11:00:03</xades").replace(
        _properties_digest(once), _properties_digest(later.xml)
    )
    assert stamped(later.xml).xml == once


def _properties_digest(xml: bytes) -> bytes:
    return signed_properties_digest(parse(xml).find(".//xades:SignedProperties", NAMESPACES)).encode()


def test_a_foreign_stamp_in_other_places_and_prefixes_is_taken_away():
    messy = SIMPLIFIED.replace(
        b"</Invoice>",
        b'<e:UBLExtensions xmlns:e="x:e"><e:UBLExtensions a=">"/></e:UBLExtensions >\n'
        b"<cac:AdditionalDocumentReference><cbc:ID> QR </cbc:ID></cac:AdditionalDocumentReference><cac:Signature/>"
        b"</Invoice>",
    )
    document = stamped(messy)
    assert document.hash == invoice_hash(messy)
    assert len(stamp_parts(parse(document.xml))) == 4


def test_a_missing_declaration_of_ext_is_put_on_the_root_and_signed():
    bare = SIMPLIFIED.replace(XMLNS_EXT, b"")
    assert invoice_hash(bare) != invoice_hash(SIMPLIFIED)
    assert stamped(bare).hash == invoice_hash(SIMPLIFIED)
    assert stamped(bare).xml == stamped().xml


def test_markup_in_what_is_not_markup_does_not_mislead():
    tricky = SIMPLIFIED.replace(
        b"<cbc:ProfileID>",
        b"<!-- <ext:UBLExtensions> --><cbc:Note><![CDATA[</Invoice><cac:AccountingSupplierParty>]]></cbc:Note>"
        b"<cbc:ProfileID>",
    )
    assert stamped(tricky).hash == invoice_hash(tricky)


def test_a_seller_below_another_element_is_not_the_place():
    nested = SIMPLIFIED.replace(
        b"<cbc:ProfileID>",
        b"<cac:Delivery><cac:AccountingSupplierParty></cac:AccountingSupplierParty></cac:Delivery><cbc:ProfileID>",
    )
    root = parse(stamped(nested).xml)
    assert root.find("cac:AccountingSupplierParty", NAMESPACES).getprevious().tag.endswith("}Signature")


def test_the_hash_leaves_the_tree_as_it_was():
    for xml in (stamped().xml, SIMPLIFIED, b"<a>1<Signature>2</Signature>3<b/>4<Signature/><!-- -->5</a>"):
        root = parse(xml)
        before = etree.tostring(root)
        assert hash_of(root) == hash_of(root) == invoice_hash(xml)
        assert etree.tostring(root) == before


@given(
    st.lists(st.sampled_from(["<b/>", "<Signature>x</Signature>", "t", "<!-- -->", "<Signature/>", " "]), max_size=8)
)
def test_text_around_what_is_left_out_stays(pieces):
    kept = "".join(piece for piece in pieces if "Signature" not in piece)
    assert invoice_hash(f"<a>{''.join(pieces)}</a>".encode()) == invoice_hash(f"<a>{kept}</a>".encode())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<Invoice/>", "not a UBL invoice"),
        (SIMPLIFIED.replace(b"<Invoice ", b"<Quote ").replace(b"</Invoice>", b"</Quote>"), "Quote, not a UBL invoice"),
        (SIMPLIFIED.replace(b"AccountingSupplierParty", b"Party"), "no seller"),
        (re.sub(b"<cbc:UUID>.*</cbc:UUID>", b"", SIMPLIFIED), "no UUID"),
        (SIMPLIFIED.replace(b"<cbc:IssueTime>10:00:03</cbc:IssueTime>", b""), "no date and time of issue"),
        (re.sub(b"<cbc:PayableAmount.*</cbc:PayableAmount>", b"", SIMPLIFIED), "no amount due"),
        (re.sub(b"<cbc:TaxAmount.*</cbc:TaxAmount>", b"", SIMPLIFIED), "no VAT total"),
        (re.sub(b"<cbc:CompanyID>.*</cbc:CompanyID>", b"", SIMPLIFIED), "no seller VAT number"),
        (re.sub(b"<cbc:RegistrationName>.*</cbc:Reg", b"<cbc:RegistrationName> </cbc:Reg", SIMPLIFIED), "seller name"),
        (SIMPLIFIED.replace(XMLNS_EXT, b' xmlns:ext="urn:other"'), "prefix ext for urn:other"),
        (SIMPLIFIED.decode().encode("utf-16"), "not in UTF-8"),
        (b'<?xml version="1.0" encoding="cp1256"?>' + SIMPLIFIED.decode().encode("cp1256"), "not in UTF-8"),
        (SIMPLIFIED.replace(b"<cbc:ProfileID>", b'<x:y xmlns:x="relative"/><cbc:ProfileID>'), "canonical form"),
        (SIMPLIFIED.replace("متجر".encode(), "متجر".encode() * 90), "BR-CL-KSA-14"),
    ],
)  # fmt: skip
def test_what_cannot_carry_a_stamp_is_refused_in_words(body, why):
    with pytest.raises(BadInput, match=re.escape(why)):
        stamped(body)


@pytest.mark.parametrize("body", [b"", b"<Invoice>", b'<!DOCTYPE Invoice [<!ENTITY a "b">]><Invoice/>', b"\x00"])
def test_what_is_no_xml_is_refused(body):
    with pytest.raises(UnreadableXml):
        stamped(body)
    with pytest.raises(UnreadableXml):
        invoice_hash(body)


def test_a_document_without_a_qr_says_so():
    with pytest.raises(BadInput, match="no QR"):
        qr_text(SIMPLIFIED)


@pytest.mark.parametrize(
    ("properties", "printed"),
    [
        ('<x:P xmlns:x="a" Id="1"/>', '<x:P xmlns:x="a" Id="1"/>'),
        ('<x:P xmlns:x="a"><x:Q></x:Q></x:P>', '<x:P xmlns:x="a"><x:Q/></x:P>'),
        ('<x:P xmlns:x="a" xmlns:y="b">\r\n <y:Q/></x:P>', '<x:P xmlns:x="a" xmlns:y="b">\n <y:Q/></x:P>'),
        ('<x:P xmlns:x="a"><!--c--> &lt;&#38;&gt;</x:P>', '<x:P xmlns:x="a"><!--c--> &lt;&amp;&gt;</x:P>'),
        ('<x:P xmlns:x="a" x:b="&quot;"/>', '<x:P xmlns:x="a" x:b="&quot;"/>'),
        ('<P xmlns="a"><Q xmlns="b"/></P>', '<P xmlns="a"><Q xmlns="b"/></P>'),
    ],
)
def test_signed_properties_are_printed_as_dom4j_prints_them(properties, printed):
    digest = base64.b64encode(hashlib.sha256(printed.encode()).hexdigest().encode()).decode()
    assert signed_properties_digest(parse(f"<r>{properties}</r>".encode())[0]) == digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("<xades:SigningCertificate>", "<xades:SigningCertificate><!--c-->"),
        ("<xades:SigningCertificate>", "<xades:SigningCertificate >"),
        ("<xades:SigningCertificate>", "\n<xades:SigningCertificate>"),
        ("<xades:SigningCertificate>", '<xades:SigningCertificate Id="a">'),
        ("<xades:SigningCertificate>", '<xades:SigningCertificate xmlns:z="a">'),
        ("<xades:SigningCertificate>", f'<xades:SigningCertificate xmlns:xades="{NAMESPACES["xades"]}">'),
        ("<xades:SigningTime>", "<xades:SigningTime>&lt;&amp;&#13;é\U0001f600"),
        ("<xades:SigningTime>", "<xades:SigningTime><![CDATA[<]]>"),
        ("<xades:SigningTime>", "<xades:SigningTime>{issuer}\\1"),
        ('<xades:SignedProperties Id="xadesSignedProperties">', '<xades:SignedProperties Id="other">'),
        ('<xades:SignedProperties Id="xadesSignedProperties">', "<xades:SignedProperties>"),
        ('<xades:SignedProperties Id="xades', '<xades:SignedProperties b=">" Id="xades'),
        ('<xades:SignedProperties Id="xades', '<xades:SignedProperties xmlns:z="a" Id="xades'),
        ('xmlns:ds="http://www.w3.org/2000/09/xmldsig#"', 'xmlns:ds="urn:other"'),
        ('xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"', 'xmlns:xades="urn:other"'),
    ],
)
def test_the_official_form_has_the_digest_that_any_form_has(old, new):
    xml = parse(stamped().xml.decode().replace(old, new).encode())
    (properties,) = xml.xpath("//*[local-name() = 'SignedProperties']")
    assert signed_properties_digest(properties) == hex_digest(printed(properties))


def test_the_signature_block_has_the_form_of_xmldsig_and_xades():
    """By the schemas that signxml ships; what the block is made over is the authority's own way and tested above."""
    root = parse(stamped().xml)
    (signature,) = root.iter(f"{{{DS}}}Signature")
    (properties,) = root.iter(f"{{{XADES}}}QualifyingProperties")
    get_schema("xmldsig1-schema.xsd").assertValid(signature)
    get_schema("XAdES01903v132-201601.xsd").assertValid(properties)
