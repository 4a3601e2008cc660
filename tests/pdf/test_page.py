"""The page as it is read and seen: what must stand there, in which order, in joined letters; the QR; many pages."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from PIL import Image

from gateway import ubl
from gateway.errors import BadInput
from gateway.invoice.facts import Address, Flag, Identifier, Invoice, Party
from gateway.looks import Looks
from gateway.pdf import render
from gateway.stamp import qr_text
from tests.golden.test_golden import file_of
from tests.pdf.reading import opened, picture, texts
from tests.ubl_documents import HEADING, LINK, SIMPLIFIED, STANDARD, documents, line

TITLES = {
    "standard invoice": "فاتورة ضريبية / Tax Invoice",
    "simplified invoice": "فاتورة ضريبية مبسطة / Simplified Tax Invoice",
    "standard credit note": "إشعار دائن / Credit Note",
    "simplified credit note": "إشعار دائن / Credit Note",
    "standard debit note": "إشعار مدين / Debit Note",
    "simplified debit note": "إشعار مدين / Debit Note",
    "standard prepayment": "فاتورة ضريبية / Tax Invoice",
    "simplified prepayment": "فاتورة ضريبية مبسطة / Simplified Tax Invoice",
}


def unstamped(invoice: Invoice) -> bytes:
    return ubl.render(invoice, HEADING, LINK)


def said(pdf: bytes, page: int = 0) -> list[str]:
    """The runs of a page without the spaces round them."""
    with opened(pdf) as document:
        return [text for each in texts(document, page) if (text := each.strip(" \u202a\u202c"))]


def on_all_pages(pdf: bytes) -> str:
    with opened(pdf) as document:
        pages = len(document.pages)
    return " ".join(each for page in range(pages) for each in said(pdf, page))


def in_this_order(wanted: Iterable[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(any(each == text for text in rest) for each in wanted)


@pytest.mark.parametrize("name", TITLES)
def test_each_kind_has_its_own_title(name):
    with opened(render(file_of(name).read_bytes())) as document:
        assert str(document.docinfo.Title) == f"{TITLES[name]} {HEADING.number}"
        arabic, english = TITLES[name].split(" / ")
        runs = [each.strip() for each in texts(document)]
    assert english in runs
    assert set(arabic.split()) <= set(runs)


def test_a_standard_invoice_says_everything_in_the_order_it_is_read():
    wanted = [
        "Tax Invoice", HEADING.number, "2026-11-23  09:58:12", "2026-11-22", "388 / 0100000", "Seller", "Coffee & Co",
        "399999999900003", "Commercial registration", "1010010000", "2322  King Fahd Road", "العليا", "Buyer",
        "310122393500003", "المروج", "Description", "1", "قهوة", "250g", "C-1", "2", "57.50", "115.00", "15%", "17.25",
        "132.25", "VAT breakdown", "Standard rate", "15%", "115.00", "17.25", "Total excluding VAT", "115.00",
        "VAT total", "17.25", "Total including VAT", "132.25", "Amount due", "132.25",
    ]  # fmt: skip
    assert in_this_order(wanted, said(render(file_of("standard invoice").read_bytes())))


def test_a_note_names_what_it_corrects_and_why():
    found = said(render(file_of("simplified credit note").read_bytes()))
    wanted = ["Note number", "Invoice corrected", "RUH1-000099", "RUH1-000100", "Reason for the note", "Goods returned"]
    assert in_this_order(["Credit Note", "to a simplified tax invoice", *wanted, "مرتجع"], found)


def test_discounts_charges_prepayments_and_rounding_are_shown_where_they_are():
    allowances = said(render(file_of("allowances of two rates").read_bytes()))
    assert in_this_order(["3,000", "0.333333", "−10.00", "990.00"], allowances)
    assert in_this_order(["قسيمة", "15%", "−90.00", "Coupon", "5%", "−8.00", "Sum of lines", "1,070.00"], allowances)
    charges = said(render(file_of("charges and a base quantity").read_bytes()))
    assert in_this_order(["+1.00", "12.34 / 100", "Freight", "+25.00", "Charges", "25.00"], charges)
    deducted = said(render(file_of("prepayments deducted").read_bytes()))
    assert in_this_order(["RUH1-000120", "2026-11-23 09:58", "1,000.00", "5%", "50.00", "1,050.00"], deducted)
    assert in_this_order(["Prepaid", "−1,150.00", "Amount due", "1,650.00"], deducted)
    assert in_this_order(["Rounding", "−0.01"], said(render(file_of("rounding").read_bytes())))


def test_why_there_is_no_vat_and_what_it_is_in_riyals():
    exempt = said(render(file_of("exempt beside standard").read_bytes()))
    assert in_this_order(["Exempt", "Life insurance services", "VATEX-SA-29-7", "0%", "1,000.00", "0.00"], exempt)
    assert in_this_order(["Period of supply", "2026-11-22 – 2027-11-21"], exempt)
    foreign = said(render(file_of("foreign currency").read_bytes()))
    assert in_this_order(
        ["1 EUR = 4.0725 SAR", "VAT total", "17.25", "EUR", "VAT total in SAR", "70.25", "SAR"], foreign
    )
    assert in_this_order(["Notes", "Net 30 days", "Thank you"], foreign)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (Flag.THIRD_PARTY, "Issued by a third party on behalf of the seller"),
        (Flag.NOMINAL, "Nominal supply"),
        (Flag.EXPORT, "Export"),
        (Flag.SUMMARY, "Summary invoice"),
        (Flag.SELF_BILLED, "Self-billed: issued by the buyer on behalf of the seller"),
        (Flag.CONTINUOUS, "Continuous supply"),
        (Flag.B2G, "Supply to a government entity"),
    ],
)
def test_what_the_transaction_code_says_stands_below_the_title(flag, words):
    plain = said(render(unstamped(STANDARD)))
    flagged = said(render(unstamped(replace(STANDARD, flags=frozenset({flag})))))
    assert words not in plain
    assert in_this_order(["Tax Invoice", words, HEADING.number], flagged)


def test_what_a_document_does_not_say_has_no_label():
    bare = replace(
        SIMPLIFIED, seller=Party("Shop", vat=SIMPLIFIED.seller.vat), payment_means="1", lines=(line("10.00"),)
    )
    found = said(render(unstamped(bare)))
    absent = {"Buyer", "Address", "Date of supply", "Payment", "Order", "Contract", "Notes", "Commercial registration"}
    assert not absent & set(found)
    assert not {"Discount / charge", "Prepaid", "Rounding", "Exchange rate", "Sum of lines"} & set(found)
    full = replace(
        bare, buyer=Party("Somebody", id=Identifier("NAT", "1234567890"), address=Address(city="Riyadh")),
        payment_means="48", order_reference="A-1", contract="C-1", note="Hello",
    )  # fmt: skip
    assert {"Buyer", "National ID", "Address", "Card", "Order", "A-1", "Contract", "Notes"} <= set(
        said(render(unstamped(full)))
    )


def test_the_qr_of_the_page_is_the_documents_own():
    for name in ("standard invoice", "simplified invoice"):
        xml = file_of(name).read_bytes()
        (code,) = zxingcpp.read_barcodes(picture(render(xml)))
        assert (code.format, code.text) == (zxingcpp.BarcodeFormat.QRCode, qr_text(xml))
    assert zxingcpp.read_barcodes(picture(render(unstamped(STANDARD)))) == []


# -- Arabic as a picture -----------------------------------------------------------------------------------------------

JOINED = "تسهيلهم"
"""Seven letters, each joined to the next: one stroke of ink, with dots. In pieces they are seven strokes."""
APART = "\N{ZERO WIDTH NON-JOINER}".join(JOINED)
"""The same letters as they look where nothing joins them."""


def strokes(name: str) -> int:
    """Into how many pieces the ink of a seller's name falls, dots left out, as the page shows it."""
    pdf = render(unstamped(replace(SIMPLIFIED, seller=Party(name, vat=SIMPLIFIED.seller.vat))))
    head = picture(pdf, dpi=300)
    width, height = head.size
    name_alone = head.crop((width // 2, 0, width, int(height * 0.068)))
    return sum(size > 100 for size in pieces(name_alone))


def pieces(image: Image.Image) -> Iterator[int]:
    """The number of pixels of each piece of ink."""
    width = image.width
    ink = {at for at, shade in enumerate(image.tobytes()) if shade < 160}
    beside = [row * width + column for row in (-1, 0, 1) for column in (-1, 0, 1)]
    while ink:
        reached, size = [ink.pop()], 0
        while reached:
            at, size = reached.pop(), size + 1
            near = [at + step for step in beside if at + step in ink]
            ink.difference_update(near)
            reached += near
        yield size


def test_arabic_letters_are_joined():
    """The letters apart are the control: that is what a page looks like whose Arabic is broken."""
    assert (strokes(JOINED), strokes(APART)) == (1, 7)


def test_arabic_runs_from_the_right_and_latin_in_it_from_the_left():
    """Where each letter is drawn, as another library reads it; these stand nowhere else on the page."""
    pdf = render(unstamped(replace(STANDARD, lines=(replace(line("1.00"), name="چاي ZJ-72 (ژاله) jq"),))))
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0].get_textpage()
        letters = (chr(pypdfium2.raw.FPDFText_GetUnicode(page, index)) for index in range(page.count_chars()))
        at = {letter: page.get_charbox(index)[0] for index, letter in enumerate(letters)}
    assert at["چ"] > at["J"] > at["Z"] > at["ژ"] > at["q"] > at["j"]


# -- any document ------------------------------------------------------------------------------------------------------


def test_the_same_bytes_give_the_same_bytes():
    xml = file_of("standard invoice").read_bytes()
    assert render(xml) == render(xml)
    assert render(xml, timestamp=HEADING.issued_at + timedelta(days=1)) != render(xml)
    assert render(xml, Looks(colour="#aa0000")) != render(xml)


def test_dates_and_numbers_keep_their_order_among_arabic():
    note = "استحق في 2026-11-01 هاتف +966 50 123 4567 خصم 15.5% صنف AB-72 وزن 250g"
    found = said(render(unstamped(replace(STANDARD, note=note))))
    assert {"2026-11-01", "+966 50 123 4567", "15.5%"} <= {each.strip(" \u2066\u2069") for each in found}
    assert {"AB-72", "250g"} <= set(found)


def test_nothing_in_a_document_is_mark_up():
    hostile = '#panic("x") $x^2$ *b* _i_ `r` @l <l> #read("/etc/passwd") \\ // /* [ ] { } "; = # - +'
    invoice = replace(
        STANDARD, seller=replace(STANDARD.seller, name=hostile), note=hostile,
        lines=(replace(line("1"), name=hostile),), order_reference=hostile, contract=hostile,
    )  # fmt: skip
    found = " ".join(said(render(unstamped(invoice), Looks(footer=hostile))))
    assert found.count('#panic("x") $x^2$') == 7
    assert found.count("*b* _i_ `r` @l <l>") == 7


def test_controls_that_turn_the_order_of_reading_are_left_out():
    turned = "SO-\u202e54321\u202c\u2066x\u2069\u200f\x85y"
    assert "SO-54321x y" in said(render(unstamped(replace(STANDARD, order_reference=turned))))


def test_what_no_font_draws_is_marked_and_explained():
    plain = said(render(unstamped(replace(STANDARD, note="Ğ Ω Ж पानी №"))))
    assert not any("\N{REPLACEMENT CHARACTER}" in each for each in plain)
    found = said(render(unstamped(replace(STANDARD, note="Tea 茶 🍵"))))
    assert in_this_order(["Tea", "\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"], found)
    assert any("stands for a character that cannot be drawn here" in each for each in found)


HEAVY = {
    "marks": "ب" + "\u0651" * 50_000,
    "marks of two kinds": "a" + "\u0301\u0323" * 25_000,
    "marks between joiners": "a" + "\u0301\u200d" * 25_000,
    "letters": "ب" * 50_000,
    "a word that is eighteen letters": "\ufdfa" * 4000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_name_that_would_take_for_ever_is_shortened_and_that_is_said(name):
    """50,000 marks on one letter took minutes, more letters than 32,767 no PDF/A at all."""
    seller = replace(SIMPLIFIED.seller, name=HEAVY[name])
    began = time.process_time()
    pdf = render(unstamped(replace(SIMPLIFIED, seller=seller)))
    assert time.process_time() - began < 5
    assert "was shortened" in on_all_pages(pdf)


def test_many_long_names_are_shortened_when_there_were_too_many(monkeypatch):
    monkeypatch.setattr("gateway.pdf.typeset._LETTERS_IN_ALL", 3000)
    long = replace(SIMPLIFIED, seller=replace(SIMPLIFIED.seller, name="كلمة " * 700))
    lines = [replace(each, name="سلعة " * 100) for each in SIMPLIFIED.lines]
    text = on_all_pages(render(unstamped(replace(long, lines=lines))))
    assert "was shortened" in text
    assert 0 < text.count("سلعة") <= 40 * len(lines)


def test_what_is_as_long_as_the_authority_allows_is_shown_whole():
    seller = replace(SIMPLIFIED.seller, name="كلمة " * 199 + "بُّ")
    assert "was shortened" not in on_all_pages(render(unstamped(replace(SIMPLIFIED, seller=seller))))


def test_letters_written_as_shapes_are_letters_again():
    """Some old systems hold Arabic as it looks: ﻗﻬﻮﺓ."""
    assert "قهوة" in said(render(unstamped(replace(STANDARD, order_reference="\ufed7\ufeec\ufeee\ufe93"))))


def test_a_thousand_lines():
    sold = tuple(line(f"{number}.00", id=str(number)) for number in range(1, 1001))
    with opened(render(unstamped(replace(STANDARD, lines=sold)))) as document:
        pages = len(document.pages)
        first, second, last = (texts(document, page) for page in (0, 1, pages - 1))
        names = {str(font.BaseFont) for page in document.pages for font in page.Resources.Font.values()}
    assert 20 < pages < 60
    assert (f"Page 1 of {pages}" in first, f"Page 2 of {pages}" in second, f"Page {pages} of {pages}" in last) == (
        True, True, True,
    )  # fmt: skip
    for page in (first, second, last):
        assert in_this_order(["Description", "Quantity", "Unit price", "Total incl. VAT"], page)
    assert "1,150.00" in last
    assert "Amount due" in last
    assert "Amount due" not in first
    assert len(names) <= 6, "fonts are in it once"


def test_identities_can_be_copied_from_the_page():
    """No place to break is put into what people search for."""
    with opened(render(unstamped(replace(STANDARD, order_reference=HEADING.uuid)))) as document:
        text = "".join(texts(document))
    assert text.count(HEADING.uuid) == 2


def test_names_that_are_long():
    long = "W" * 300
    invoice = replace(
        STANDARD, seller=replace(STANDARD.seller, name="شركة " * 100), lines=(replace(line("1"), name=long, sku=long),),
    )  # fmt: skip
    image = picture(render(unstamped(invoice)), dpi=72)
    margin = (
        image.crop((0, 0, 30, image.height)).tobytes()
        + image.crop((image.width - 30, 0, image.width, image.height)).tobytes()
    )
    assert min(margin) == 255, "nothing runs over the margins"


def test_documents_from_elsewhere_are_printed_as_well(shared):
    """The authority's own samples: their number, what is due, and the QR's text where they have one."""
    samples = sorted((shared / "conformance" / "samples").glob("*.xml"))
    assert len(samples) >= 19
    for file in samples:
        xml = file.read_bytes()
        invoice, heading, _ = ubl.read(xml)
        found = said(render(xml))
        assert in_this_order([heading.number, "Amount due", f"{invoice.payable:,.2f}"], found), file.name


def test_what_is_no_document_is_refused():
    for wrong in (b"", b"<a/>", b"\xff\xfe<", file_of("summary").read_bytes().replace(b">388<", b">999<")):
        with pytest.raises(BadInput):
            render(wrong)


def test_what_typst_refuses_is_said_and_nothing_is_written():
    """A logo that did not come through gateway.looks."""
    with pytest.raises(BadInput, match="cannot be set as a PDF/A-3") as error:
        render(unstamped(STANDARD), Looks(logo="<svg"))
    assert error.value.fix
    assert error.value.ar


@given(documents())
@settings(max_examples=6, deadline=None)
def test_any_document_can_be_read(content):
    _is_a_pdf_with_its_xml(content)


@pytest.mark.torture
@given(documents())
@settings(max_examples=500, deadline=None)
def test_any_document_can_be_read_at_length(content):
    _is_a_pdf_with_its_xml(content)


def _is_a_pdf_with_its_xml(content):
    xml = ubl.render(*content)
    with opened(render(xml)) as document:
        assert document.Root.AF[0].EF.F.read_bytes() == xml
