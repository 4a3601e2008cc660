"""The rules of PDF/A-3 (ISO 19005-3) that a reader of PDFs can check, on a document of every sort.

The clauses are those by which veraPDF names its rules.
"""

import pikepdf
import pytest
from lxml import etree

from gateway.file_name import file_name
from gateway.invoice.facts import RIYADH
from gateway.looks import Looks, logo_of
from gateway.pdf import render
from gateway.ubl import Content
from tests.golden.test_golden import file_of
from tests.pdf.reading import fonts, opened
from tests.ubl_documents import DOCUMENTS, HEADING, LINK, SELLER

XMP = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
LOGO = logo_of(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20">'
    b'<rect width="40" height="20" fill="#c33" opacity=".5"/><circle cx="10" cy="10" r="8"/></svg>'
)


@pytest.fixture(scope="module", params=DOCUMENTS)
def made(request):
    """A document, and its PDF read again."""
    xml = file_of(request.param).read_bytes()
    with opened(render(xml, Looks(logo=LOGO, footer="شكرًا لكم\nThank you"))) as document:
        yield request.param, xml, document


def test_it_is_a_pdf_a_3(made):
    _, _, document = made
    assert document.check_pdf_syntax() == []
    _the_file_is_plain(document)
    _metadata_say_so(document)
    _colours_are_defined(document)
    _fonts_are_inside(document)
    _structure_is_there(document)
    _nothing_acts(document)


def _the_file_is_plain(document):
    """6.1.3, 6.1.12: an identity, no encryption; no stream lies elsewhere."""
    assert not document.is_encrypted
    assert len(document.trailer.ID) == 2
    for each in document.objects:
        if isinstance(each, pikepdf.Stream):
            assert not {"/F", "/FFilter", "/FDecodeParms"} & set(each.keys())
            assert "/LZWDecode" not in str(each.get("/Filter"))


def _metadata_say_so(document):
    """6.6.2.1, 6.6.4: XMP in the clear, part and level; the document information says the same (6.6.3)."""
    metadata = document.Root.Metadata
    assert (metadata.Type, metadata.Subtype, "/Filter" in metadata) == ("/Metadata", "/XML", False)
    xmp = etree.fromstring(metadata.read_bytes())
    assert [xmp.findtext(f".//pdfaid:{name}", namespaces=XMP) for name in ("part", "conformance")] == ["3", "A"]
    assert xmp.findtext(".//dc:title//rdf:li", namespaces=XMP) == str(document.docinfo.Title)
    assert xmp.findtext(".//dc:creator//rdf:li", namespaces=XMP) == str(document.docinfo.Author)
    moment = f"{HEADING.issued_at:%Y-%m-%dT%H:%M:%S}+00:00"
    assert xmp.findtext(".//xmp:CreateDate", namespaces=XMP) == moment
    assert str(document.docinfo.CreationDate) == f"D:{HEADING.issued_at:%Y%m%d%H%M%S}Z"


def _colours_are_defined(document):
    """6.2.3, 6.2.4: one output intent with its profile, which is what grey and RGB mean."""
    (intent,) = document.Root.OutputIntents
    assert intent.S == "/GTS_PDFA1"
    profile = intent.DestOutputProfile.read_bytes()
    assert profile[36:40] == b"acsp"
    assert profile[16:20] == b"RGB "
    assert intent.DestOutputProfile.N == 3
    operators = {str(operator) for page in document.pages for _, operator in pikepdf.parse_content_stream(page)}
    assert not operators & {"k", "K"}, "CMYK has no meaning under an RGB profile"


def _fonts_are_inside(document):
    """6.2.11: every font is embedded, each glyph has its width and its character."""
    for name, font in fonts(document).items():
        (descendant,) = font.DescendantFonts
        assert name[7:8] == "+", "a subset is named as one"
        assert font.Encoding == "/Identity-H"
        assert descendant.CIDToGIDMap == "/Identity"
        assert len(descendant.FontDescriptor.FontFile2.read_bytes()) > 500
        assert len(descendant.W) > 0
        assert b"begincmap" in font.ToUnicode.read_bytes()


def _structure_is_there(document):
    """6.7: tagged, in a language, and pictures have words in their place."""
    assert document.Root.MarkInfo.Marked
    assert str(document.Root.Lang) == "ar"
    kinds, pictures = set(), []
    for each in document.objects:
        if isinstance(each, pikepdf.Dictionary) and "/S" in each and "/P" in each:
            kinds.add(str(each.S))
            if each.S == "/Figure":
                pictures.append(str(each.Alt))
    assert {"/Table", "/TR", "/TH", "/TD", "/P"} <= kinds
    assert len(pictures) == 2
    assert all(pictures)


def _nothing_acts(document):
    """6.5, 6.4: no script, no launch, no form, no link out of the document."""
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(document.Root.keys())
    assert "/JavaScript" not in document.Root.Names
    for page in document.pages:
        assert not {"/AA", "/Annots"} & set(page.keys())


def test_the_xml_is_inside_byte_for_byte(made):
    """6.8: an associated file with a type, a date and what it is to the document."""
    name, xml, document = made
    (file,) = document.Root.AF
    called = file_name(Content(DOCUMENTS[name], HEADING, LINK), "xml")
    assert called == f"{SELLER.vat}_{HEADING.issued_at.astimezone(RIYADH):%Y%m%dT%H%M%S}_RUH1-000123.xml"
    assert (str(file.F), str(file.UF), file.AFRelationship) == (called, called, "/Alternative")
    assert file.EF.F.Subtype == "/application/xml"
    assert file.EF.F.Params.Size == len(xml)
    assert file.EF.F.read_bytes() == xml
    assert [key for key, _ in pikepdf.NameTree(document.Root.Names.EmbeddedFiles).items()] == [called]
