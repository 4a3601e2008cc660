"""The view reads any tree; what is absent is an object too."""

from decimal import Decimal

import pytest
from lxml import etree

from gateway.rules.parts import Identifier, Invoice, Line, TaxCategory
from gateway.rules.view import Document, Node, Number, declare, kind_of, name_of, path_of, single, tag_of
from gateway.rules.xpath import Abandoned
from gateway.xml import CAC, CBC, INVOICE


def invoice(inner: str) -> Invoice:
    xml = f'<Invoice xmlns="{INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}">{inner}</Invoice>'
    (read,) = Document(etree.fromstring(xml)).every(Invoice, "ubl:Invoice")
    return read


def test_what_is_absent_is_falsy_empty_and_not_a_number() -> None:
    absent = invoice("").total.tax_inclusive
    assert not absent
    assert absent.text == ""
    assert absent.decimal.is_nan()
    assert not absent.equals(0)
    assert not absent.exceeds(-1)
    assert not absent.filled
    assert absent.currency == ""
    assert not invoice("").seller.party.legal_entities
    assert not absent.up(Invoice)


def test_the_string_value_leaves_comments_out_and_joins_what_they_part() -> None:
    identifier = invoice("<cbc:ID>A<!-- b --><?c d?>E</cbc:ID>").id
    assert identifier.text == "AE"
    assert identifier.texts == ("A", "E")


def test_repeated_elements_come_in_order() -> None:
    read = invoice(
        "<cac:InvoiceLine><cbc:ID>1</cbc:ID></cac:InvoiceLine><cac:InvoiceLine><cbc:ID>2</cbc:ID></cac:InvoiceLine>"
    )
    assert [line.id.text for line in read.lines] == ["1", "2"]
    assert read.lines == read.document.every(Line, "cac:InvoiceLine")


def test_two_where_one_is_expected_end_the_set() -> None:
    read = invoice("<cbc:ID>1</cbc:ID><cbc:ID>2</cbc:ID>")
    with pytest.raises(Abandoned):
        _ = read.id
    with pytest.raises(Abandoned):
        single(Node, [read, read])


def test_the_name_of_an_element_decides_its_kind() -> None:
    read = invoice("<cbc:TaxAmount>1</cbc:TaxAmount><cbc:Unheard>1</cbc:Unheard>")
    assert kind_of(tag_of("cbc:TaxAmount")) is Number
    assert kind_of(tag_of("cbc:Unheard")) is Node
    assert [type(found) for found in read.children.values()] == [Number, Node]
    with pytest.raises(AssertionError):
        declare(Line, "cbc:TaxAmount")


def test_a_third_of_its_name_is_no_single_child_either() -> None:
    with pytest.raises(Abandoned):
        _ = invoice("<cbc:ID>1</cbc:ID><cbc:ID>2</cbc:ID><cbc:ID>3</cbc:ID>").id


def test_up_is_the_parent_if_it_is_of_that_kind() -> None:
    read = invoice("<cac:InvoiceLine><cac:Price/></cac:InvoiceLine>")
    (line,) = read.lines
    assert line.price.up(Line) is line
    assert not line.price.up(Invoice)
    assert line.price.stands_in("cac:InvoiceLine", "ubl:Invoice")
    assert not line.price.stands_in("ubl:Invoice")
    assert not line.stands_in("ubl:Invoice", "cac:Price")


def test_ubl_within_other_namespaces_is_read_where_it_stands() -> None:
    read = invoice(
        "<x:a xmlns:x='urn:x'><x:b/><cbc:ID>in a</cbc:ID><x:b><x:c><cbc:ID>in c</cbc:ID></x:c></x:b>"
        "<cbc:ID>in a again</cbc:ID></x:a><cbc:ID>of the invoice</cbc:ID>"
    )
    assert read.id.text == "of the invoice"
    found = read.document.every(Identifier, "cbc:ID")
    assert [each.text for each in found] == ["in a", "in c", "in a again", "of the invoice"]
    assert found[0].parent is found[2].parent
    assert found[1].parent is not None
    assert found[1].parent.parent is not None
    assert [each.up(Invoice) is read for each in found] == [False, False, False, True]


def test_a_category_counts_only_under_the_scheme_vat() -> None:
    def category(scheme: str) -> TaxCategory:
        xml = (
            f"<cac:AllowanceCharge><cac:TaxCategory><cbc:ID> S </cbc:ID><cac:TaxScheme><cbc:ID>{scheme}</cbc:ID>"
            "</cac:TaxScheme></cac:TaxCategory></cac:AllowanceCharge>"
        )
        return invoice(xml).allowances_charges[0].categories[0]

    assert category(" vat").vat_code == "S"
    assert category("GST").vat_code == ""


def test_amounts_are_exact() -> None:
    read = invoice(
        '<cac:LegalMonetaryTotal><cbc:PayableAmount currencyID="SAR"> 0.10 </cbc:PayableAmount>'
        "</cac:LegalMonetaryTotal>"
    )
    assert read.total.payable.decimal == Decimal("0.10")
    assert read.total.payable.currency == "SAR"


def test_paths_have_an_index_where_there_are_twins() -> None:
    read = invoice("<cac:InvoiceLine/><cac:InvoiceLine><cbc:ID>2</cbc:ID></cac:InvoiceLine>")
    element = read.lines[1].id.element
    assert element is not None
    assert path_of(element) == "/ubl:Invoice/cac:InvoiceLine[2]/cbc:ID"


def test_names_of_unknown_namespaces_stand_alone() -> None:
    assert name_of("{urn:else}Thing") == "Thing"
    assert name_of("Thing") == "Thing"
