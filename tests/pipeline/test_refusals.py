"""Orders that make documents which break an official rule: each is refused before a counter is used, with the id of the
rule and the field to mend."""

import pytest

from gateway.errors import NotCompliant
from gateway.finding import Severity
from tests.installation import BUSINESS, UNIT, order

ADDRESS = BUSINESS["address"]
CITIZENS = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-EDU"}


def without(whole, name):
    return {key: value for key, value in whole.items() if key != name}


def lines(**more):
    return {"lines": [order(1)["lines"][0], order(1)["lines"][0] | {"id": "2"} | more], "declared": {}}


def buyer(**more):
    return {"buyer": BUSINESS | more}


def known_as(scheme, value):
    return buyer(other_id={"scheme": scheme, "value": value})


ERRORS = {
    "BR-KSA-07": ({"buyer": BUSINESS, "flags": ["export", "self_billed"]}, "flags"),
    "BR-KSA-31": ({"flags": ["self_billed"]}, "flags"),
    "BR-KSA-49": ({**lines(tax=CITIZENS), "buyer": {"name": "سعد"}}, "buyer.other_id"),
    "BR-KSA-72": ({"flags": ["summary"], **buyer(kind="person")}, "supply_end"),
    "BR-KSA-92": ({"buyer": BUSINESS, "flags": ["b2g"]}, "contract"),
    "BR-CUSTOM-VALIDATION-01": (buyer(vat=UNIT.seller.vat), "buyer.vat"),
}
WARNINGS = {
    "BR-CL-14": (buyer(address=ADDRESS | {"country": "XX"}), "buyer.address.country"),
    "BR-KSA-10": ({"buyer": without(BUSINESS, "address")}, "buyer.address"),
    "BR-KSA-25": (
        {"lines": [order(1)["lines"][0] | {"tax": CITIZENS}], "declared": {}}
        | {"buyer": {"other_id": {"scheme": "NAT", "value": "1048213756"}}},
        "buyer.name",
    ),
    "BR-KSA-36": ({"supply_date": "2026-11-22", "supply_end": "2026-11-21"}, "supply_end"),
    "BR-KSA-42": ({"buyer": without(BUSINESS, "name")}, "buyer.name"),
    "BR-KSA-63": (buyer(address=without(ADDRESS, "building")), "buyer.address.building"),
    "BR-KSA-67": (buyer(address=ADDRESS | {"postal_code": "1222"}), "buyer.address.postal_code"),
    "BR-KSA-71": ({"flags": ["summary"]}, "buyer.name"),
    "BR-KSA-81": ({"buyer": without(BUSINESS, "vat")}, "buyer.other_id"),
    "BR-KSA-97": ({"currency": "USD", "fx": {"rate": "1"}, "declared": {}}, "fx.rate"),
    "BR-KSA-F-06-C19": (lines(name="تي"), "lines[1].name"),
    "BR-KSA-F-06-C23": (buyer(address=without(ADDRESS, "street")), "buyer.address.street"),
    "BR-KSA-F-06-C25": (buyer(address=without(ADDRESS, "city")), "buyer.address.city"),
    "BR-KSA-F-06-C28": (buyer(address=without(ADDRESS, "district")), "buyer.address.district"),
    "BR-KSA-F-13": (known_as("OTH", "12345678"), "buyer.other_id.value"),
    "BR-KSA-F-C-01": (lines(name="628101"), "lines[1].name"),
}


def refusal(site, more):
    with pytest.raises(NotCompliant) as refused:
        site.issue(1, **more)
    return refused.value


def test_each_is_refused_by_rule_and_field_and_nothing_is_consumed(site, subtests):
    """One installation for all of them: whatever one consumed the next would see."""
    before = site.head()
    for rule, (more, field) in (ERRORS | WARNINGS).items():
        with subtests.test(rule):
            error = refusal(site, more)
            found = next(each for each in error.findings if each.rule == rule)
            assert (found.order_field, found.severity) == (
                field,
                Severity.ERROR if rule in ERRORS else Severity.WARNING,
            )
            assert f"{rule} ({field}" in error.what
            assert f"{rule} ({field}" in error.ar
            assert all(each.message.en != each.message.ar and each.fix.en and each.fix.ar for each in error.findings)
            assert (site.head(), site.documents()) == (before, ())
    assert site.issue(2).icv == before.icv


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        (
            {"buyer": BUSINESS | {"address": {"country": "SA"}}},
            {"buyer.address.street", "buyer.address.city", "buyer.address.district", "buyer.address.postal_code"},
        ),
        ({"lines": [order(1)["lines"][0] | {"id": str(number), "name": "12"} for number in range(5)], "declared": {}},
         {f"lines[{number}].name" for number in range(5)}),
    ],
    ids=["address", "lines"],
)  # fmt: skip
def test_all_that_is_to_be_mended_is_named_at_once(site, more, fields):
    error = refusal(site, more)
    assert fields <= {each.order_field for each in error.findings}
    assert len(error.what) < 600
