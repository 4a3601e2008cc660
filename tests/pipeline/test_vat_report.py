"""The VAT report over documents that were really issued, sent and answered."""

from datetime import timedelta

import pytest

from gateway.invoice.facts import RIYADH
from gateway.invoice.period import Period, read_period
from gateway.invoice.vat_return import By
from gateway.order import read_order, read_refund
from gateway.pipeline.issue import Request, correct
from gateway.pipeline.notes import NoteRequest, credit
from gateway.pipeline.vat_json import report_json
from gateway.pipeline.vat_report import Question, vat_report
from gateway.simulator import Fault
from tests.installation import BUSINESS, OWNER, order
from tests.ledger.raw import raw_connection
from tests.pipeline.test_submit import REFUSAL

ABROAD = {"kind": "business", "name": "Müller GmbH", "other_id": {"scheme": "OTH", "value": "DE811"}}
ABROAD |= {"address": {"street": "Rue 1", "city": "Wien", "country": "AT"}}
PUPIL = {
    "kind": "person", "name": "Huda", "other_id": {"scheme": "NAT", "value": "1023456780"},
    "address": BUSINESS["address"],
}  # fmt: skip
EXPORT = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-32"}


def taxed(category, code, rate="0"):
    return {"category": category, "rate": rate} | ({"reason_code": f"VATEX-SA-{code}"} if code else {})


def lines(*priced):
    return [
        {"id": str(place), "name": "Coffee", "quantity": "1", "unit_price": price, "tax": tax}
        for place, (price, tax) in enumerate(priced, 1)
    ]


def net(site, number, *priced, **more):
    """The document of an order at prices without VAT."""
    plain = {key: value for key, value in order(number).items() if key != "declared"}
    return site.issue_order({**plain, "prices_include_tax": False, "lines": lines(*priced), **more})


S15, S5 = taxed("S", "", "15"), taxed("S", "", "5")


def question(site, by=By.ISSUE, period=None, **more):
    day = site.clock().astimezone(RIYADH).date()
    return Question(OWNER, period or Period(day, day), by, **more)


def asked(site, **more):
    report = vat_report(site.ledger, question(site, **more), now=site.clock())
    assert report.agrees, report.looked_at
    return report_json(report)


def fields(shown, name="boxes"):
    return {
        (each["box"], each["rate"]): (each["amount"], each["adjustment"], each["vat"], each["documents"])
        for each in shown[name]
        if each["documents"]
    }


def test_every_category_in_its_field(site):
    net(site, 1, ("100.00", S15), ("20.00", S5), ("7.00", taxed("E", "29")), ("3.00", taxed("O", "OOS")))
    net(site, 2, ("50.00", taxed("Z", "35")))
    net(site, 3, ("30.00", taxed("Z", "EDU")), buyer=PUPIL)
    net(site, 4, ("1000.00", EXPORT), buyer=ABROAD, currency="USD", fx={"rate": "3.75"})
    government = {**BUSINESS, "kind": "government", "other_id": {"scheme": "700", "value": "7001234569"}}
    net(site, 5, ("200.00", S15), buyer=government, contract="C-1")
    site.work()
    shown = asked(site)
    assert fields(shown) == {
        ("standard", "15"): ("100.00", "0.00", "15.00", 1),
        ("standard", "5"): ("20.00", "0.00", "1.00", 1),
        ("government", "15"): ("200.00", "0.00", "30.00", 1),
        ("citizens", "0"): ("30.00", "0.00", "0.00", 1),
        ("zero-domestic", "0"): ("50.00", "0.00", "0.00", 1),
        ("exports", "0"): ("3750.00", "0.00", "0.00", 1),
        ("exempt", "0"): ("7.00", "0.00", "0.00", 1),
        ("outside", "0"): ("3.00", "0.00", "0.00", 1),
    }
    assert shown["total"] == {"amount": "4157.00", "adjustment": "0.00", "vat": "46.00"}
    assert shown["proof"] == {"documents": 5, "differing": 0}


def test_a_note_is_an_adjustment_once_its_original_was_reported(site):
    made = site.issue(1, buyer=BUSINESS)
    site.work()
    give_back(site, made, "R1", "23.00")
    month = read_period(f"{site.clock():%Y-%m}")
    assert fields(asked(site, period=month)) == {("standard", "15"): ("80.00", "0.00", "12.00", 2)}
    site.clock.move(timedelta(days=40))
    give_back(site, made, "R2", "11.50")
    assert fields(asked(site)) == {("standard", "15"): ("0.00", "-10.00", "-1.50", 1)}


def give_back(site, made, name, money):
    credit(site.gateway, NoteRequest(OWNER, "tests", made.uuid), read_refund({"id": name, "money": money}))
    site.work()


def test_a_prepayment_is_taxed_once(site):
    net(site, 1, ("100.00", S15), kind="prepayment", buyer=BUSINESS)
    site.work()
    number = site.documents()[0].number
    net(site, 2, ("300.00", S15), buyer=BUSINESS, prepayments=[{"number": number}])
    site.work()
    shown = asked(site)
    assert fields(shown) == {("standard", "15"): ("300.00", "0.00", "45.00", 2)}
    parts = {(each["kind"], each["part"]): each["taxable"] for each in shown["groups"]}
    assert parts == {
        ("prepayment", "supply"): "100.00",
        ("invoice", "supply"): "300.00",
        ("invoice", "prepayment deducted"): "-100.00",
    }


def test_what_the_authority_lacks_is_apart(site):
    site.issue(1)
    shown = asked(site)
    assert fields(shown) == {}
    assert fields(shown, "open") == {("standard", "15"): ("100.00", "0.00", "15.00", 1)}


def test_what_was_rejected_is_named_and_what_stands_for_it_counts_once(site):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    refused = site.issue(1, buyer=BUSINESS)
    site.work()
    shown = asked(site)
    assert fields(shown) == fields(shown, "open") == {}
    assert shown["look_at"] == [{"uuid": refused.uuid, "number": refused.number, "why": "rejected"}]
    better = read_order(order(1, buyer=BUSINESS | {"name": "شركة أخرى"}))
    correct(site.gateway, refused.uuid, Request(OWNER, "tests", better))
    site.work()
    shown = asked(site)
    assert fields(shown) == {("standard", "15"): ("100.00", "0.00", "15.00", 1)}
    assert (shown["documents"]["replaced"], shown["look_at"]) == (1, [])


def test_an_export_whose_rate_is_not_shown_takes_the_orders_and_so_does_its_note(site):
    dollars = {"currency": "USD", "fx": {"rate": "3.75", "shown": False}}
    made = net(site, 1, ("1000.00", EXPORT), buyer=ABROAD, **dollars)
    site.work()
    give_back(site, made, "R1", "400.00")
    assert fields(asked(site)) == {("exports", "0"): ("2250.00", "0.00", "0.00", 2)}


def test_a_note_on_an_invoice_from_elsewhere_goes_by_the_day_of_that(site):
    today = site.clock().astimezone(RIYADH).date()
    for number, day in ((1, today), (2, today - timedelta(days=90))):
        old = {"number": f"OLD-{number}", "issued_on": day.isoformat(), "left": "115.00"}
        net(site, number, ("40.00", S15), kind="credit_note", buyer=BUSINESS, corrects=old, reason={"code": "return"})
    site.work()
    assert fields(asked(site)) == {("standard", "15"): ("-40.00", "-40.00", "-12.00", 2)}


# -- what is kept, and the bytes


def past_the_guards(site, statement, *values):
    raw = raw_connection(site.gateway.settings.ledger_url)
    with raw.unguarded():
        raw.execute(statement, values)
    raw.close()


def test_documents_from_before_are_read_from_their_bytes(site):
    made = net(site, 1, ("100.00", S15), ("7.00", taxed("E", "29")), buyer=BUSINESS)
    site.work()
    give_back(site, made, "R1", "23.00")
    before = asked(site, by=By.TAX_POINT)
    past_the_guards(site, "UPDATE document SET taxed = NULL, supplied_on = NULL")
    assert asked(site, by=By.TAX_POINT)["groups"] == before["groups"]


def test_a_figure_that_was_changed_is_named_with_its_terms(site):
    made = site.issue(1)
    net(site, 2, ("50.00", S15))
    site.work()
    past_the_guards(site, "UPDATE document SET taxed = replace(taxed, '100.00', '9.00') WHERE uuid = ?", made.uuid)
    report = vat_report(site.ledger, question(site), now=site.clock())
    assert (report.agrees, report.proof.differing, report.proof.documents) == (False, 1, 2)
    assert [(each.uuid, each.why) for each in report.looked_at] == [(made.uuid, "differs from its XML: BG-23")]


@pytest.mark.parametrize("kept", ["{}", "[1]", None])
def test_what_cannot_be_read_is_named_and_the_rest_is_reported(site, kept):
    made = site.issue(1)
    net(site, 2, ("50.00", S15))
    site.work()
    past_the_guards(site, "UPDATE stamp SET xml = X'3C' WHERE document_uuid = ?", made.uuid)
    past_the_guards(site, "UPDATE document SET taxed = ? WHERE uuid = ?", kept, made.uuid)
    report = vat_report(site.ledger, question(site), now=site.clock())
    assert (report.agrees, report.unreadable) == (False, 1)
    assert fields(report_json(report)) == {("standard", "15"): ("50.00", "0.00", "7.50", 1)}
    assert [(each.uuid, each.why) for each in report.looked_at] == [(made.uuid, "cannot be read")]


def test_by_tax_point_a_supply_of_last_month_belongs_there(site):
    day = site.clock().astimezone(RIYADH).date()
    earlier = day.replace(day=1) - timedelta(days=1)
    site.issue(1, supply_date=earlier.isoformat(), buyer=BUSINESS)
    site.work()
    there, here = (Period(each, each) for each in (earlier, day))
    by_law = asked(site, by=By.TAX_POINT, period=there)
    assert by_law["boxes"][0]["amount"] == "100.00"
    assert by_law["documents"]["issued_after_the_period"] == 1
    assert asked(site, by=By.TAX_POINT, period=here)["documents"]["counted"] == 0
    assert asked(site, by=By.ISSUE, period=here)["documents"]["counted"] == 1
    assert asked(site, by=By.ISSUE, period=there)["documents"]["counted"] == 0
