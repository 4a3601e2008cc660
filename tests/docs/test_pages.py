"""What the pages say beside commands: links lead somewhere, examples are usable, sums are right."""

import json
import re
from datetime import datetime
from decimal import Decimal
from importlib.resources import files

import pytest

from gateway.errors import DoesNotClose
from gateway.invoice.facts import RIYADH
from gateway.invoice.from_order import invoice_of, rounding_limit
from gateway.invoice.notes import Original, credit_note
from gateway.invoice.policy import Policy
from gateway.invoice.prepayment import Part, Prior
from gateway.order import read_order, read_refund
from gateway.stores.store import MAX_GAP
from gateway.unit import Environment
from gateway.unit_file import read_unit
from tests.docs.console import DOCUMENTS, ROOT, fences
from tests.docs.test_commands import name
from tests.ubl_documents import VAT15

EXAMPLES = ROOT / "docs" / "examples"
HOW = ROOT / "docs" / "explanation" / "how-an-order-becomes-an-invoice.md"
HALALAS = ROOT / "docs" / "explanation" / "halalas.md"
SELLER = read_unit((EXAMPLES / "unit.json").read_bytes(), Environment.SANDBOX).seller


def anchor(heading: str) -> str:
    """A heading's anchor, as the usual renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def text_of(document) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    broken = []
    for target, fragment in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text_of(document)):
        file = (document.parent / target).resolve() if target else document
        if not file.exists():
            broken.append(target)
        elif fragment and fragment not in map(anchor, re.findall(r"^#+ (.*)$", text_of(file), re.M)):
            broken.append(f"{target}#{fragment}")
    assert broken == []


def test_every_decision_has_a_number_of_its_own_and_is_cited_by_it():
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(each.name[:4]) for each in decisions]
    assert len(set(numbers)) == len(numbers), "two decisions have one number"
    assert [int(re.match(r"# (\d+)\. ", each.read_text("utf-8"))[1]) for each in decisions] == numbers
    for document in DOCUMENTS:
        for said, number in re.findall(r"\[ADR (\d+)\]\([^)]*/(\d{4})-", text_of(document)):
            assert int(said) == int(number), document


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", text_of(page))
        linked = [(page.parent / target).resolve() for target in targets]
        pages = [each for one in linked for each in (one.glob("*.md") if one.is_dir() else [one])]
        waiting += [each for each in pages if each.suffix == ".md" and each not in reached]
    assert sorted(set(DOCUMENTS) - reached) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_json_examples_are_usable(document):
    for fence in fences(document):
        if fence.language == "json":
            content = json.loads(fence.text)
            if "lines" in content:
                read_order(fence.text)
            elif "taxpayer" in content:
                read_unit(fence.text.encode(), Environment.SANDBOX)


def test_the_unit_file_is_one_and_the_same():
    shown = next(fence.text for fence in fences(ROOT / "docs" / "guides" / "onboard.md") if fence.language == "json")
    units = [json.loads(text) for text in (shown, (EXAMPLES / "unit.json").read_text("utf-8"))]
    assert units[0] == units[1] == json.loads((files("gateway.demo") / "unit.json").read_text("utf-8"))


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("order*.json")))
def test_example_orders_close(example):
    order = read_order((EXAMPLES / example).read_bytes())
    assert invoice_of(order, SELLER).value == order.declared.grand


TERMS = {
    "BT-106": lambda invoice: invoice.lines_total,
    "BT-107": lambda invoice: invoice.allowances_total,
    "BT-109": lambda invoice: invoice.without_vat,
    "BT-110": lambda invoice: invoice.vat,
    "BT-112": lambda invoice: invoice.with_vat,
    "BT-114": lambda invoice: invoice.rounding,
    "BT-115": lambda invoice: invoice.payable,
    "BT-131": lambda invoice: invoice.lines[0].net,
    "BT-146": lambda invoice: invoice.lines[0].price,
}


def worked_examples():
    """Each order in halalas.md with the terms and amounts of the table below it."""
    found = re.findall(r"```json\n(.*?)```\n\n((?:\|[^\n]*\n)+)", HALALAS.read_text(encoding="utf-8"), re.S)
    return [(order, re.findall(r"^\| (BT-\d+) \| [^|]* \| ([\d.]+) \|$", table, re.M)) for order, table in found]


@pytest.mark.parametrize(("order", "amounts"), worked_examples(), ids=lambda value: str(len(value)))
def test_sums_are_those_that_are_computed(order, amounts):
    invoice = invoice_of(read_order(order), SELLER)
    assert amounts
    assert [(term, str(TERMS[term](invoice))) for term, _ in amounts] == amounts


def test_the_refund_with_delivery_comes_to_what_is_said():
    order = read_order((EXAMPLES / "order.json").read_bytes())
    refund = read_refund((EXAMPLES / "refund-with-delivery.json").read_bytes())
    original = Original("RUH1-000001", invoice_of(order, SELLER), {line.id: line.id for line in order.lines})
    note, _ = credit_note(original, [], refund, policy=Policy())
    amounts = re.findall(r"^\| (BT-\d+) \| [^|]* \| ([\d.]+) \|$", HOW.read_text(encoding="utf-8"), re.M)
    assert amounts
    assert [(term, str(TERMS[term](note))) for term, _ in amounts] == amounts


def test_the_prepayment_that_no_taxable_amount_reaches():
    part = {"category": "S", "rate": "15"}
    wanted = re.search(
        r"of (1300.00) the taxable amount is ([\d.]+) and the\nVAT ([\d.]+)\.", HALALAS.read_text("utf-8")
    )
    prior = Prior("A-1", "", datetime(2026, 11, 2, tzinfo=RIYADH), "SAR", (Part(VAT15, Decimal(2000), Decimal(300)),))
    order = read_order(
        {
            "connection": "erp-main", "id": "1", "placed_at": "2026-11-23T10:00:00+03:00", "prices_include_tax": True,
            "lines": [{"id": "1", "name": "Laptop", "quantity": "1", "unit_price": "2300.00", "tax": part}],
            "prepayments": [{"number": "A-1", "amount": wanted[1]}],
        }
    )  # fmt: skip
    (deduction,) = invoice_of(order, SELLER, priors={"A-1": prior}).deductions
    assert (str(deduction.taxable), str(deduction.vat)) == (wanted[2], wanted[3])


def test_the_two_limits_are_those_of_the_code():
    text = HALALAS.read_text("utf-8")
    assert f"It is {MAX_GAP} however large the order" in text
    three = next(order for order, _ in worked_examples() if "3.81" in order)
    assert f"the limit for three lines is {rounding_limit(read_order(three))}" in text


def test_the_unreachable_halala_and_the_order_that_does_not_close():
    """What halalas.md says between its tables."""
    text = HALALAS.read_text(encoding="utf-8")
    vat = Decimal("0.15")
    for net, gross in (("1130.43", "1299.99"), ("1130.44", "1300.01")):
        assert f"{net} with its VAT makes {gross}" in text or f"{net} makes {gross}" in text
        assert Decimal(net) + round(Decimal(net) * vat + Decimal("0.0000001"), 2) == Decimal(gross)
    three = next(order for order, _ in worked_examples() if "3.81" in order)
    assert sum(line.vat for line in invoice_of(read_order(three), SELLER).lines) == Decimal("0.51")
    with pytest.raises(DoesNotClose) as refused:
        invoice_of(read_order(three.replace("3.81", "3.90")), SELLER)
    assert refused.value.what in text
