"""Tables fit the terminal, and no number or identifier in them is broken."""

import pytest

from gateway.commands import console

COLUMNS = ("Number", "Kind", "Total", "Order")
ROWS = [("RUH1-000001", "simplified credit note", "100.00 SAR", "woocommerce/46"), ("RUH1-000002", "", 0, "erp/[b]7")]
WORDS = "RUH1-000001 simplified 100.00 woocommerce/46 RUH1-000002 erp/[b]7".split()


@pytest.fixture
def drawn(monkeypatch, capsys):
    def draw(width):
        monkeypatch.setattr(console.out, "width", width)
        console.table("Documents", COLUMNS, ROWS, right=["Total"])
        lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert max(map(len, lines)) <= width
        return lines

    return draw


@pytest.mark.parametrize("width", range(24, 100))
def test_no_word_is_broken_at_any_width(drawn, width):
    shown = "\n".join(drawn(width)).split()
    assert [word for word in WORDS if word not in shown] == []


def test_a_wide_terminal_has_a_line_a_row(drawn):
    assert [line for line in drawn(100) if "RUH1" in line] == [
        " RUH1-000001   simplified credit note   100.00 SAR   woocommerce/46",
        " RUH1-000002                                     0   erp/[b]7",
    ]


def test_columns_wrap_between_words_where_that_is_enough(drawn):
    assert [line.split() for line in drawn(60) if "RUH1-000001" in line or "note" in line] == [
        ["RUH1-000001", "simplified", "credit", "100.00", "woocommerce/46"],
        ["note", "SAR"],
    ]


def test_what_does_not_fit_is_a_record_without_its_empty_fields(drawn):
    assert drawn(40) == [
        "Documents",
        "",
        "Number  RUH1-000001",
        "Kind    simplified credit note",
        "Total   100.00 SAR",
        "Order   woocommerce/46",
        "",
        "Number  RUH1-000002",
        "Total   0",
        "Order   erp/[b]7",
        "",
    ]


def test_room_goes_to_the_columns_that_lack_most():
    assert console.widths([3, 4, 2], [3, 20, 8], 20) == [3, 15, 2]
    assert console.widths([3, 4, 2], [3, 20, 8], 90) == [3, 20, 8]
