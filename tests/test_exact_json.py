"""Numbers of others: exact, and none that would keep a process busy."""

from decimal import Decimal

import pytest

from gateway.exact_json import parse


def test_numbers_are_as_they_were_written():
    assert parse(b"[1.10, 1e2, 0e999999999, 7]") == [Decimal("1.10"), Decimal(100), Decimal(0), 7]


@pytest.mark.parametrize("number", ["1e9999999", "1e-9999999", "-2.5e101"])
def test_a_number_that_is_none_of_a_shops_is_refused(number):
    with pytest.raises(ValueError, match="too great or too small"):
        parse(f'{{"docstatus": {number}}}'.encode())
