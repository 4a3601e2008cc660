"""From a place in the document back to the field of the order: complete, true to the values, and helpful where a rule
names only the neighbourhood."""

import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files

import pytest
from lxml import etree

from gateway import ubl
from gateway.codes import PAYMENT_MEANS
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.invoice.from_order import invoice_of
from gateway.invoice.origin import GATEWAY, ROWS, order_field, traced
from gateway.order import Order, read_order
from gateway.rules.view import name_of, path_of
from gateway.template import DIRECTIVES
from gateway.unit_file import UnitFile
from gateway.xml import parse
from tests.installation import BUSINESS, UNIT, order
from tests.ubl_documents import DOCUMENTS, HEADING, LINK

PLACES = {row.place for row in ROWS}
BUYER = "/ubl:Invoice/cac:AccountingCustomerParty"
SELLER = "/ubl:Invoice/cac:AccountingSupplierParty"
LINE = "/ubl:Invoice/cac:InvoiceLine"


def places_in(root):
    """Every element and attribute below the root; currencies of amounts and the template's own marks aside."""
    for element in root.iterdescendants(etree.Element):
        steps = [name_of(each.tag) for each in (element, *element.iterancestors())][-2::-1]
        yield "/".join(steps)
        for name in element.attrib:
            if name != "currencyID" and etree.QName(name).namespace != DIRECTIVES:
                yield "/".join([*steps, f"@{name}"])


# -- the table ------------------------------------------------------------------------------------------------


def test_every_place_of_the_template_has_its_row_and_no_other():
    template = parse(files("ubl_templates").joinpath("invoice.xml").read_bytes())
    assert set(places_in(template)) == PLACES
    assert len(ROWS) == len(PLACES)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_place_of_a_document_has_its_row(name):
    assert set(places_in(parse(ubl.render(DOCUMENTS[name], HEADING, LINK)))) <= PLACES


def test_a_term_stands_for_one_place():
    terms = [row.term for row in ROWS if row.term != "-"]
    assert len(terms) == len(set(terms))


PARTS = {"{line}": "lines", "{reduction}": "lines.reductions", "{allowance}": "reductions", "{tax}": "lines.tax"}


@pytest.mark.parametrize("field", sorted({row.field for row in ROWS} - {GATEWAY}))
def test_every_field_is_one_of_the_order_or_of_the_units_file(field):
    for part, way in PARTS.items():
        field = field.replace(part, way)
    in_file = field.startswith("unit.")
    schema = (UnitFile if in_file else Order).model_json_schema()
    part = schema
    for name in re.sub(r"\[\d+\]", "", field.removeprefix("unit.")).split("."):
        part = part.get("items", part)
        choices = [part, *part.get("anyOf", [])]
        names = [each["$ref"].rpartition("/")[2] for each in choices if "$ref" in each]
        part = (schema["$defs"][names[0]] if names else part)["properties"][name]


# -- what an order says, and where its document says it ---------------------------------------------------------

SOLD = order(
    9,
    prices_include_tax=False,
    declared={},
    currency="USD",
    fx={"rate": "3.7501"},
    note="Ring twice",
    contract="C-17",
    invoice_number="A-1",
    supply_date="2026-11-21",
    supply_end="2026-11-22",
    flags=["summary"],
    buyer={
        **BUSINESS,
        "address": BUSINESS["address"] | {"country": "SA"},
        "other_id": {"scheme": "CRN", "value": "4030123456"},
    },
    payments=[{"method": "bank"}],
    reductions=[
        {"amount": "0.001", "reason": "Nothing to speak of"},
        {"amount": "3.00", "reason": "Opening"},
        {"amount": "2.00", "reason": "Loyal"},
    ],
    lines=[
        {
            "id": "a1",
            "name": "Dates",
            "sku": "D-1",
            "quantity": "3",
            "unit": "KGM",
            "unit_price": "20.15",
            "reductions": [
                {"amount": "0.004", "reason": "Too little"},
                {"amount": "1.25", "reason": "Bruised"},
                {"amount": "1.50", "reason": "Old"},
            ],
            "tax": {"category": "S", "rate": "15"},
        },
        {
            "id": "b2",
            "name": "Insulin",
            "quantity": "2",
            "unit_price": "31.40",
            "tax": {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-35", "reason": "Medicine"},
        },
        {
            "id": "c3",
            "name": "Honey",
            "quantity": "4",
            "unit_price": "12.75",
            "reductions": [{"amount": "0.75", "reason": "Spilled"}],
            "tax": {"category": "S", "rate": "15"},
        },
    ],
)
"""An order whose values can be told apart, and whose parts do not all reach the document."""


@pytest.fixture(scope="module")
def invoice():
    return invoice_of(read_order(SOLD), UNIT.seller)


@pytest.fixture(scope="module")
def document(invoice):
    return parse(ubl.render(invoice, replace(HEADING, number=SOLD["invoice_number"]), LINK))


def value_at(field):
    unit = UnitFile.model_validate_json((files("gateway.demo") / "unit.json").read_bytes())
    found = SOLD | {"unit": unit.model_dump()}
    for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", field):
        found = found[name][int(index)] if index else found[name]
    return found


def test_the_field_of_every_value_holds_that_value(invoice, document):
    said = defaultdict(list)
    for element in document.iterdescendants(etree.Element):
        path = path_of(element)
        row = next(row for row in ROWS if row.place == re.sub(r"\[\d+\]", "", path).removeprefix("/ubl:Invoice/"))
        if row.field != GATEWAY and not len(element):
            said[order_field(path, "", invoice)].append(element.text)
    assert said.pop("payments[0].method") == [PAYMENT_MEANS["bank"]]
    for field, texts in said.items():
        if field.endswith("].amount"):  # of a reduction; one of the whole order is split over the VAT groups
            assert sum(map(Decimal, texts)) == Decimal(value_at(field)), field
        elif field.endswith(("rate", "price", "quantity")):
            assert set(map(Decimal, texts)) == {Decimal(value_at(field))}, field
        else:
            assert set(texts) == {value_at(field)}, field
    assert {"lines[0].reductions[2].reason", "reductions[1].amount", "reductions[2].amount"} <= said.keys()
    assert {"lines[1].tax.reason_code", "lines[2].reductions[0].amount", "fx.rate", "supply_end"} <= said.keys()
    assert not {"reductions[0].amount", "lines[0].reductions[0].amount"} & said.keys()


# -- where a rule names only the neighbourhood ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "term", "field"),
    [
        (f"{BUYER}/cac:Party/cac:PostalAddress", "BG-8", "buyer.address"),
        (f"{BUYER}/cac:Party/cac:PostalAddress", "KSA-4", "buyer.address.district"),
        (f"{BUYER}/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode", "BT-40", "buyer.address.country"),
        (f"{BUYER}/cac:Party", "BT-44", "buyer.name"),
        (f"{BUYER}/cac:Party", "BT-46", "buyer.other_id"),
        (f"{BUYER}/cac:Party/cac:PartyIdentification/cbc:ID", "BT-29", "buyer.other_id.value"),
        (BUYER, "", "buyer"),
        (f"{SELLER}/cac:Party/cac:PostalAddress", "KSA-3", "unit.taxpayer.address.district"),
        (f"{SELLER}/cac:Party", "BT-31", "unit.taxpayer.vat"),
        ("/ubl:Invoice", "BT-12", "contract"),
        ("/ubl:Invoice/cbc:InvoiceTypeCode", "KSA-2", "flags"),
        ("/ubl:Invoice/cbc:InvoiceTypeCode", "BT-44", "buyer.name"),
        ("/ubl:Invoice/cbc:InvoiceTypeCode", "BT-3", ""),
        ("/ubl:Invoice/cac:TaxTotal[2]/cbc:TaxAmount", "BT-111", "fx.rate"),
        ("/ubl:Invoice/cac:TaxTotal[1]/cac:TaxSubtotal[2]/cac:TaxCategory", "BT-120", "lines[1].tax.reason"),
        ("/ubl:Invoice/cac:TaxTotal[1]/cac:TaxSubtotal[2]/cac:TaxCategory", "BT-46", "buyer.other_id"),
        ("/ubl:Invoice/cac:TaxTotal[1]/cac:TaxSubtotal[2]/cbc:TaxAmount", "BT-117", "lines[1].tax"),
        ("/ubl:Invoice/cac:AllowanceCharge[2]/cac:TaxCategory", "", "lines[1].tax"),
        ("/ubl:Invoice/cac:AllowanceCharge[3]", "", "reductions[2]"),
        (f"{LINE}[3]", "BT-131", "lines[2]"),
        (f"{LINE}[3]/cac:Item", "BT-153", "lines[2].name"),
        (f"{LINE}[1]/cac:AllowanceCharge[2]", "BT-139", "lines[0].reductions[2].reason"),
        (f"{LINE}[1]", "BG-27", "lines[0]"),
        ("/ubl:Invoice", "BG-25", "lines"),
        ("/ubl:Invoice", "BG-20", "reductions"),
        ("/ubl:Invoice/cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount", "BT-112", ""),
        ("/ubl:Invoice/cac:AdditionalDocumentReference[1]/cbc:UUID", "KSA-16", ""),
        (f"{LINE}[9]/cac:Item/cbc:Name", "BT-153", "lines"),
        ("/Other/thing", "", ""),
        ("", "", ""),
    ],
)
def test_a_group_or_a_computed_value_leads_to_the_likeliest_field(invoice, path, term, field):
    assert order_field(path, term, invoice) == field


def test_a_document_of_no_order_has_fields_of_the_unit_only():
    invoice = DOCUMENTS["allowances of two rates"]
    assert order_field(f"{LINE}[1]/cac:Item/cbc:Name", "BT-153", invoice) == ""
    assert order_field("/ubl:Invoice/cac:AllowanceCharge[1]/cbc:Amount", "BT-92", invoice) == ""
    assert order_field(f"{SELLER}/cac:Party", "BT-27", invoice) == "unit.taxpayer.name"


def test_an_address_in_the_kingdom_names_the_part_that_is_missing():
    for country, field in (("SA", "buyer.address.district"), ("AE", "buyer.address")):
        address = BUSINESS["address"] | {"district": "", "city": "", "country": country}
        invoice = invoice_of(read_order(order(1, buyer=BUSINESS | {"address": address})), UNIT.seller)
        assert order_field(f"{BUYER}/cac:Party/cac:PostalAddress", "BG-8", invoice) == field


def test_findings_are_given_their_fields(invoice):
    nothing = Text("", "")
    found = Finding("BR-25", Severity.WARNING, RuleSet.EN16931, f"{LINE}[2]/cac:Item", "BT-153", nothing, nothing)
    (traced_one,) = traced([found], invoice)
    assert traced_one == replace(found, order_field="lines[1].name")
