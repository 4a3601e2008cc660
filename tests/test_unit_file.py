"""The file that describes a unit: strict, and clear about what is missing."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.errors import BadInput
from gateway.invoice.facts import Address, Identifier
from gateway.unit import Environment
from gateway.unit_file import read_unit

EXAMPLE = json.loads((files("gateway.demo") / "unit.json").read_bytes())


def changed(path, value):
    """The example with one value changed, or taken away (None)."""
    described = json.loads(json.dumps(EXAMPLE))
    *way, last = path.split(".")
    part = described
    for name in way:
        part = part[name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return json.dumps(described).encode()


def test_what_a_file_says():
    unit = read_unit(json.dumps(EXAMPLE).encode(), Environment.SIMULATION)
    assert (unit.id, unit.taxpayer_id, unit.environment) == ("RUH1", "399999999900003", Environment.SIMULATION)
    assert (unit.seller.vat, unit.seller.id) == ("399999999900003", Identifier("CRN", "1010010000"))
    assert unit.seller.address == Address("طريق الأمير سلطان", "2322", "المربع", "الرياض", "23333", "SA")


def test_what_may_be_left_out():
    unit = read_unit(changed("number_prefix", None), Environment.SANDBOX)
    assert unit.number_prefix == "RUH1-"
    assert read_unit(changed("invoice_types", None), Environment.SANDBOX).invoice_types == "1100"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", "a b"),
        ("id", ""),
        ("id", None),
        ("taxpayer", None),
        ("taxpayer.name", " "),
        ("taxpayer.vat", "39999999990000"),
        ("taxpayer.vat", "199999999900003"),
        ("taxpayer.id.scheme", "TIN"),
        ("taxpayer.id.value", "10 10"),
        ("taxpayer.address.building", "12"),
        ("taxpayer.address.postal_code", "1234"),
        ("taxpayer.address.district", None),
        ("taxpayer.address.country", "AE"),
        ("common_name", "x" * 200),
        ("serial", "gateway"),
        ("serial", "1-a|2-b"),
        ("number_prefix", "INV\n"),
        ("number_prefix", "\u202eINV-"),
        ("number_prefix", "x" * 41),
        ("invoice_types", "0000"),
        ("invoice_types", "1111"),
        ("colour", "red"),
        ("taxpayer.phone", "1"),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_its_place(path, value):
    with pytest.raises(BadInput) as refused:
        read_unit(changed(path, value), Environment.SANDBOX)
    assert f"{path}: " in refused.value.what
    assert "onboard.md" in refused.value.fix


def test_everything_wrong_is_listed_at_once():
    described = EXAMPLE | {"serial": "x", "invoice_types": "9"}
    with pytest.raises(BadInput, match=r"serial: .*; invoice_types: "):
        read_unit(json.dumps(described).encode(), Environment.SANDBOX)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"RUH1"', b"\xff\xfe{}"])
def test_what_is_no_description_at_all(data):
    with pytest.raises(BadInput, match="the file: "):
        read_unit(data, Environment.SANDBOX)


def test_the_example_of_the_documentation_is_the_unit_of_the_demo():
    root = Path(__file__).parents[1]
    assert (root / "docs/examples/unit.json").read_bytes() == (root / "gateway/demo/unit.json").read_bytes()
