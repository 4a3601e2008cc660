import pytest

from gateway.package import index_row
from gateway.spreadsheet import harmless

COLUMNS = "number issued_at kind profile buyer_name buyer_vat total vat currency status icv uuid file".split()


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_text_is_a_formula(first):
    assert harmless(f"{first}1") == f"'{first}1"
    assert harmless("a=1") == "a=1"
    assert harmless("") == ""


def test_the_index_of_a_package_has_no_formula_of_a_buyer():
    document = dict.fromkeys(COLUMNS, "x") | {"buyer_name": "＝HYPERLINK(1)"}
    assert "'＝HYPERLINK(1)" in index_row(document).decode()
