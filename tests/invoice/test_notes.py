"""Credit notes of any split add up to their original, and never to more."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import rules, ubl
from gateway.errors import Conflict, DoesNotClose, UnusableOrder
from gateway.finding import RuleSet
from gateway.invoice.facts import Kind
from gateway.invoice.from_order import invoice_of
from gateway.invoice.notes import Note, Original, credit_note, standing
from gateway.invoice.policy import AmountRefunds, Policy
from gateway.invoice.prepayment import Part
from gateway.order import Order, Refund
from tests.ubl_documents import HEADING, LINK, SELLER, VAT15

MEDICINE = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-35"}


def line(name, price, quantity="1", **more):
    tax = more.pop("tax", {"category": "S", "rate": "15"})
    return {"id": name, "name": f"Item {name}", "quantity": quantity, "unit_price": price, "tax": tax, **more}


def original(*lines, **more):
    order = Order.model_validate(
        {
            "connection": "shop", "id": "1", "placed_at": "2026-11-23T22:30:00+00:00", "prices_include_tax": True,
            "lines": list(lines), **more,
        }
    )  # fmt: skip
    invoice = invoice_of(order, SELLER)
    ids = {each["id"]: made.id for each, made in zip(lines, invoice.lines, strict=False)}
    return Original("RUH1-000007", invoice, ids)


def refund(**what):
    return Refund.model_validate({"id": "R1", **what})


def credited(document, *refunds, policy=None):
    """The notes of one refund after another."""
    notes, invoices = [], []
    for each in refunds:
        invoice, note = credit_note(document, notes, each, policy=policy or Policy())
        notes.append(note)
        invoices.append(invoice)
    return invoices, notes


def test_a_returned_piece_gives_back_what_it_cost():
    [note], _ = credited(
        original(line("a", "57.50", "2"), line("b", "20.00")), refund(lines=[{"line": "a", "quantity": "1"}])
    )
    assert (note.kind, note.references, note.payable) == (Kind.CREDIT_NOTE, ("RUH1-000007",), Decimal("57.50"))
    assert [(each.id, each.quantity, each.net) for each in note.lines] == [("a", 1, Decimal("50.00"))]
    assert note.reason == "Return of goods or services | إرجاع السلع أو الخدمات"


def test_a_coupon_on_the_whole_order_lowers_what_a_line_gives_back():
    document = original(line("a", "100.00"), line("b", "100.00"), reductions=[{"amount": "50.00", "origin": "coupon"}])
    half = {"lines": [{"line": "b", "quantity": "1"}]}
    [note], _ = credited(document, refund(**half, money="75.00"))
    assert note.payable == Decimal("75.00")
    # The nets of two halves of 130.43 differ by a halala; without a word on the money, so does what they are worth.
    [note], _ = credited(document, refund(**half))
    assert note.payable == Decimal("74.99")


def test_everything_gives_back_everything_and_leaves_nothing():
    document = original(line("a", "100.00", "13"), line("b", "9.99", tax=MEDICINE), reductions=[{"amount": "1.00"}])
    [note], notes = credited(document, refund(everything=True, reason={"code": "cancellation"}))
    assert note.payable == document.invoice.payable
    assert note.vat == document.invoice.vat
    left = standing(document, notes)
    assert (left.value, [each.net for each in left.lines]) == (0, [0, 0])
    with pytest.raises(Conflict, match="Nothing is left"):
        credit_note(document, notes, refund(everything=True), policy=Policy())


def test_a_charge_on_the_whole_order_is_given_back_with_everything():
    freight = {"amount": "23.00", "code": "FC", "reason": "Freight", "tax": {"category": "S", "rate": "15"}}
    document = original(line("a", "115.00"), charges=[freight])
    [first, rest], _ = credited(document, refund(lines=[{"line": "a", "quantity": "1"}]), refund(everything=True))
    assert (first.payable, rest.payable) == (Decimal("115.00"), Decimal("23.00"))


def test_money_without_lines_is_spread_over_the_rates():
    document = original(line("a", "115.00"), line("b", "115.00", tax=MEDICINE))
    [note], _ = credited(document, refund(money="46.00", reason={"code": "change_of_price"}))
    assert [(each.id, each.net) for each in note.lines] == [("a", Decimal("20.00")), ("b", Decimal("23.00"))]
    assert note.payable == Decimal("46.00")


def test_money_without_lines_goes_to_a_person_where_the_policy_says_so():
    asks = Policy(amount_refunds=AmountRefunds.PERSON)
    with pytest.raises(UnusableOrder, match="without saying for which lines") as refused:
        credited(original(line("a", "115.00")), refund(money="46.00"), policy=asks)
    assert "46.00" in refused.value.ar
    [note], _ = credited(original(line("a", "115.00")), refund(money="115.00"), policy=asks)
    assert note.payable == Decimal("115.00")


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ({"lines": [{"line": "a", "quantity": "3"}]}, Conflict, "2 left"),
        ({"lines": [{"line": "a", "amount": "115.01"}]}, Conflict, "115.00 left"),
        ({"lines": [{"line": "z", "quantity": "1"}]}, UnusableOrder, "no line z"),
        ({"money": "135.01"}, Conflict, "135.00 left"),
        ({"lines": [{"line": "a", "quantity": "1"}], "money": "40.00"}, DoesNotClose, "40.00 SAR was given back"),
    ],
)
def test_more_than_is_left_and_what_does_not_close_are_refused(what, error, words):
    with pytest.raises(error, match=words) as refused:
        credited(original(line("a", "57.50", "2"), line("b", "20.00")), refund(**what))
    assert refused.value.fix
    assert refused.value.ar


def test_the_same_line_cannot_be_given_back_twice():
    once = refund(lines=[{"line": "a", "quantity": "2"}])
    with pytest.raises(Conflict, match="0 left"):
        credited(original(line("a", "57.50", "2"), line("b", "20.00")), once, once)


def test_a_prepayment_that_was_used_is_given_back_only_as_far_as_it_was_not():
    document = original(line("a", "1150.00"))._replace(used=(Part(VAT15, Decimal(400), Decimal(60)),))
    [note], _ = credited(document, refund(everything=True))
    assert (note.without_vat, note.payable) == (Decimal(600), Decimal(690))


def test_a_note_is_kept_and_read_back():
    _, [note] = credited(original(line("a", "57.50", "2")), refund(lines=[{"line": "a", "quantity": "1"}]))
    assert Note.of_json(note.as_json()) == note
    _, [note] = credited(original(line("a", "57.50", "2")), refund(money="10.00"))
    assert Note.of_json(note.as_json()) == note


@st.composite
def _splits(draw):
    """A document, and refunds one after another that end with everything."""
    lines = [
        line(
            str(number), f"{draw(st.integers(1, 99_999)) / 100:.2f}", str(draw(st.integers(1, 9))),
            tax=draw(st.sampled_from([{"category": "S", "rate": "15"}, {"category": "S", "rate": "5"}, MEDICINE])),
        )
        for number in range(1, draw(st.integers(1, 8)) + 1)
    ]  # fmt: skip
    inclusive = draw(st.booleans())
    whole = sum(round(float(each["unit_price"]) * int(each["quantity"]) * 100) for each in lines)
    off = draw(st.integers(0, whole // 2))
    document = original(
        *lines, prices_include_tax=inclusive, reductions=[{"amount": f"{off / 100:.2f}"}] if off else []
    )
    steps = draw(st.lists(st.sampled_from(["quantity", "amount", "money"]), max_size=6))
    return document, steps


@settings(max_examples=200, deadline=None)
@given(_splits(), st.data())
def test_notes_of_any_split_add_up_to_the_original(split, data):
    document, steps = split
    notes, invoices = [], []
    for kind in steps:
        left = standing(document, notes)
        wanted = _some(kind, left, document, data)
        if wanted is None:
            continue
        invoice, note = credit_note(document, notes, wanted, policy=Policy())
        notes.append(note)
        invoices.append(invoice)
    if any(each.net or each.quantity for each in standing(document, notes).lines):
        invoice, note = credit_note(document, notes, refund(everything=True), policy=Policy())
        notes.append(note)
        invoices.append(invoice)
    assert sum(each.payable for each in invoices) == document.invoice.payable
    assert sum(each.without_vat for each in invoices) == document.invoice.without_vat
    assert all(each.payable >= 0 for each in invoices)
    for each in invoices:
        assert breaches(each) == set()


def breaches(note):
    """The official rules that a note breaks, its stamp aside."""
    body = ubl.render(note, HEADING, LINK)
    assert ubl.read(body).invoice == note
    sets = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})
    report = rules.check(body, now=HEADING.issued_at, sets=sets)
    return {each.rule for each in (*report.xsd, *report.findings)} - {
        "BR-KSA-27",
        "BR-KSA-28",
        "BR-KSA-29",
        "BR-KSA-30",
        "BR-KSA-60",
    }


def _some(kind, left, document, data):
    names = {made: name for name, made in document.lines.items()}
    if kind == "money":
        most = int(left.value * 100)
        return refund(money=f"{data.draw(st.integers(1, most)) / 100:.2f}") if most > 1 else None
    candidates = [each for each in left.lines if (each.quantity >= 1 if kind == "quantity" else each.gross > 0)]
    if not candidates:
        return None
    chosen = data.draw(st.sampled_from(candidates))
    if kind == "quantity":
        amount = {"quantity": str(data.draw(st.integers(1, int(chosen.quantity))))}
    else:
        amount = {"amount": f"{data.draw(st.integers(1, int(chosen.gross * 100))) / 100:.2f}"}
    return refund(lines=[{"line": names[chosen.line.id], **amount}])
