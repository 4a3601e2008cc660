"""The places where XPath 2.0, as Saxon runs it, parts company with the nearest Python idiom."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest

from gateway.rules.xpath import (
    EXACT,
    NAN,
    Abandoned,
    code_list,
    compare_untyped,
    is_after,
    moment_of,
    normalize_space,
    round_to_cents,
    to_boolean,
    to_decimal,
    to_double,
)

RIYADH = timezone(timedelta(hours=3))
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=RIYADH)


def test_only_xml_blanks_are_normalized() -> None:
    assert normalize_space(" a \t\r\n b ") == "a b"
    assert normalize_space("\u00a0 a\u00a0b ") == "\u00a0 a\u00a0b"


@pytest.mark.parametrize(("text", "value"), [("+1", "1"), (".5", "0.5"), ("5.", "5"), (" 1 ", "1"), ("-0.00", "0")])
def test_decimals(text: str, value: str) -> None:
    assert to_decimal(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", ".", "-", "1e3", "1_0", "NaN", "INF", "١", "1 0", "0x1", "\u00a01"])
def test_what_is_no_decimal_ends_the_set(text: str) -> None:
    with pytest.raises(Abandoned):
        to_decimal(text)
    with pytest.raises(Abandoned):
        to_double(text)


@pytest.mark.parametrize("text", ["0", "15.00", ".5", "5.", " -1.5 ", "9" * 400])
def test_doubles_are_those_of_the_same_text(text: str) -> None:
    assert to_double(text) == float(to_decimal(text))


@pytest.mark.parametrize(("text", "value"), [("true", True), (" 1 ", True), ("false", False), ("0", False)])
def test_booleans(text: str, value: bool) -> None:
    assert to_boolean(text) is value


def test_what_is_no_boolean_ends_the_set() -> None:
    with pytest.raises(Abandoned):
        to_boolean("maybe")


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.125", "0.13"), ("-0.125", "-0.12"), ("-0.126", "-0.13"), ("1.004999", "1.00"), ("2", "2")],
)
def test_halves_go_up_also_below_zero(value: str, rounded: str) -> None:
    assert round_to_cents(Decimal(value)) == Decimal(rounded)


def test_sums_are_exact_beyond_the_usual_precision() -> None:
    with localcontext(EXACT):
        assert round_to_cents(Decimal(10) ** 60 + Decimal("0.015")) == Decimal(10) ** 60 + Decimal("0.02")


def test_the_absent_number_spreads_without_an_error() -> None:
    with localcontext(EXACT):
        total = round_to_cents(NAN + 1)
        assert total != 1
        assert not total < 1
        assert not total > 1


@pytest.mark.parametrize(
    ("text", "number", "order"),
    [
        ("-0", 0, 0),
        ("-0.00", 0, -1),
        ("-0", Decimal("0.00"), -1),
        ("0.00", 0, 0),
        ("15.00", 15, 0),
        ("1" * 20, 0, 1),
        ("0." + "0" * 400 + "1", 0, 0),  # too small for a double
    ],
)
def test_untyped_text_against_a_number(text: str, number: int | Decimal, order: int) -> None:
    assert compare_untyped(text, number) == order


def test_untyped_text_that_is_no_number_ends_the_set() -> None:
    with pytest.raises(Abandoned):
        compare_untyped("a", 0)


def test_a_doubled_blank_in_a_list_admits_empty_text() -> None:
    assert "" in code_list("A  B")
    assert "" not in code_list("A B")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2026-11-23", False),
        ("2026-11-24", True),
        (" 2026-11-24 ", True),
        ("2026-11-23Z", True),  # begins three hours later than that of Riyadh
        ("2026-11-23+03:00", False),
        ("12026-11-23", True),
        ("2026-02-30", False),
        ("0000-01-01", False),
        ("20261124", False),
        ("٢٠٢٦-11-24", False),
    ],
)
def test_a_date_is_later_than_today_in_its_zone(text: str, after: bool) -> None:
    assert is_after(text, NOW) is after


@pytest.mark.parametrize(
    ("day", "time", "moment"),
    [
        ("2026-11-23", "01:00:00", datetime(2026, 11, 22, 22, tzinfo=UTC)),
        ("2026-11-23", "01:00:00Z", datetime(2026, 11, 23, 1, tzinfo=UTC)),
        ("2026-11-23", "24:00:00", datetime(2026, 11, 23, 21, tzinfo=UTC)),
        ("2026-11-23", "01:00:00.5", datetime(2026, 11, 22, 22, 0, 0, 500_000, tzinfo=UTC)),
        ("0001-01-01", "00:00:00", datetime.min.replace(tzinfo=UTC)),
        ("12026-11-23", "01:00:00Z", datetime(9999, 12, 31, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_of_the_zone_it_names_or_of_now(day: str, time: str, moment: datetime) -> None:
    assert moment_of(day, time, NOW) == moment


@pytest.mark.parametrize(("day", "time"), [("2026-02-30", "01:00:00"), ("2026-11-23", "25:00:00"), ("20261123", "01")])
def test_what_is_no_moment_ends_the_set(day: str, time: str) -> None:
    with pytest.raises(Abandoned):
        moment_of(day, time, NOW)
