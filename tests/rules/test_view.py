"""The view reads any tree; what is absent is an object too."""

from decimal import Decimal

import pytest
from lxml import etree

from gateway.rules.view import Document, Invoice, Line, Node, Number, TaxCategory, name_of, path_of, single
from gateway.rules.xpath import Abandoned
from gateway.xml import CAC, CBC, INVOICE


def invoice(inner: str) -> Invoice:
    xml = f'<Invoice xmlns="{INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}">{inner}</Invoice>'
    root = etree.fromstring(xml)
    return Document(root).node(root, Invoice)


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


def test_an_element_is_one_node_until_it_is_asked_for_as_another_kind() -> None:
    read = invoice("<cbc:ID>1</cbc:ID>")
    element = read.id.element
    assert element is not None
    assert read.document.node(element, Node) is read.id
    assert isinstance(read.document.node(element, Number), Number)


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
