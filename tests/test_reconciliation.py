"""Whatever is left out of three books, and whatever amount is changed in one: all of it is found, and nothing else."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.finding import Text
from gateway.invoice.facts import ZERO, Kind
from gateway.issued import Status
from gateway.reconciliation import MEANING, Entered, Gap, Invoiced, Ordered, reconcile

NONE = Text("", "")
ERPS = ("odoo", "erpnext")
MONEY = st.decimals("0.01", "99999.99", places=2)
OPEN = (Status.ISSUED, Status.SENDING, Status.UNKNOWN, Status.HELD, Status.UNSTAMPED)
ACCEPTED = (Status.CLEARED, Status.REPORTED)
ORDER_GAPS = (Gap.ORDER_QUARANTINED, Gap.ORDER_WAITING, Gap.ORDER_FAILED, Gap.ORDER_UNSEEN)


def entry(erp, state, entry_state="", total=None):
    return Entered(erp, state, entry_state, "A-1" if total is not None else "", total, NONE)


@st.composite
def entries(draw, erp, total, is_void):
    """One document in one ERP, with the gap that is planted."""
    fate = draw(st.sampled_from(["posted", "none", "due", "held", "failed", "draft", "differs", "ignored"]))
    stands, other = entry(erp, "done", "posted", total), draw(MONEY.filter(lambda amount: amount != total))
    made = {
        "posted": (stands, None),
        "none": (None, Gap.POSTING_MISSING),
        "due": (entry(erp, "due"), Gap.POSTING_OPEN),
        "held": (entry(erp, "held", "draft", total), Gap.POSTING_HELD),
        "failed": (entry(erp, "failed"), Gap.POSTING_FAILED),
        "draft": (entry(erp, "done", "cancelled", total), Gap.POSTING_MISSING),
        "differs": (entry(erp, "done", "posted", other), Gap.POSTING_DIFFERS),
        "ignored": (entry(erp, "ignored"), None),
    }
    found, gap = made[fate]
    if is_void:
        gap = Gap.POSTING_ALONE if found and found.stands else None
    return found, gap


@st.composite
def documents(draw, number):
    status = draw(st.sampled_from([*ACCEPTED, *ACCEPTED, *OPEN, Status.REJECTED, Status.REPLACED]))
    total, is_void = draw(MONEY), status in (Status.REJECTED, Status.REPLACED)
    expected = draw(st.sampled_from([(), ERPS[:1], ERPS]))
    made = [draw(entries(erp, total, is_void)) for erp in expected]
    planted = [(erp, gap) for erp, (_, gap) in zip(expected, made, strict=True) if gap]
    planted += [("", Gap.INVOICE_REJECTED)] if status is Status.REJECTED else []
    planted += [("", Gap.INVOICE_OPEN)] if status in OPEN else []
    document = Invoiced(
        uuid=f"u{number}",
        number=f"N-{number}",
        connection=draw(st.sampled_from(["shop", "erp-main"])),
        order_id=f"o{number}",
        kind=draw(st.sampled_from([Kind.INVOICE, Kind.CREDIT_NOTE, Kind.DEBIT_NOTE])),
        status=status,
        total=total,
        currency=draw(st.sampled_from(["SAR", "USD"])),
        expected=expected,
        entries=tuple(each for each, _ in made if each),
    )
    return document, [(f"N-{number}", erp, gap) for erp, gap in planted]


@st.composite
def orders(draw, number):
    gap = draw(st.sampled_from(ORDER_GAPS))
    return Ordered("shop", f"lost-{number}", gap, NONE, draw(st.none() | MONEY), draw(st.sampled_from(["SAR", "USD"])))


@st.composite
def books(draw):
    sold = [draw(documents(number)) for number in range(draw(st.integers(0, 12)))]
    return [draw(orders(number)) for number in range(draw(st.integers(0, 6)))], sold


@given(books())
def test_all_that_was_left_out_is_found_and_nothing_is_invented(drawn):
    lost, sold = drawn
    account = reconcile(lost, [document for document, _ in sold])
    planted = Counter([("", "", each.order_id, each.gap) for each in lost])
    planted += Counter((number, erp, f"o{number[2:]}", gap) for _, gaps in sold for number, erp, gap in gaps)
    assert Counter((each.number, each.erp, each.order_id, each.gap) for each in account.gaps) == planted
    assert account.agrees == (not planted)


@given(books())
def test_the_gaps_explain_every_difference_to_the_halala(drawn):
    lost, sold = drawn
    account = reconcile(lost, [document for document, _ in sold])
    for (connection, currency), side in account.sides.items():
        mine = [each for each in account.gaps if (each.connection, each.currency) == (connection, currency)]
        for erp in {*side.due, *side.posted}:
            of_erp = [each for each in mine if each.erp == erp]
            apart = sum(((each.invoiced or ZERO) - (each.posted or ZERO) for each in of_erp), ZERO)
            assert side.due.get(erp, ZERO) - side.posted.get(erp, ZERO) == apart
        not_there = sum((each.invoiced for each in mine if each.gap is Gap.INVOICE_OPEN), ZERO)
        assert side.invoiced - side.accepted == not_there
        assert side.ordered == sum((each.ordered or ZERO for each in mine if each.gap in ORDER_GAPS), ZERO)


def test_credit_notes_count_negative():
    note = Invoiced("u", "N", "shop", "1", Kind.CREDIT_NOTE, Status.CLEARED, Decimal("11.50"), "SAR", ("odoo",), ())
    account = reconcile([], [note])
    (gap,) = account.gaps
    assert (gap.invoiced, account.sides["shop", "SAR"].accepted) == (Decimal("-11.50"), Decimal("-11.50"))


@pytest.mark.parametrize("gap", Gap)
def test_every_gap_is_said_in_both_languages(gap):
    assert MEANING[gap].en
    assert any("\u0600" <= letter <= "\u06ff" for letter in MEANING[gap].ar)
