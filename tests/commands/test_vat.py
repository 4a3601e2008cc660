"""`gateway vat-report`: tables, JSON, CSV and a workbook say the same, in both languages, and no cell is a formula."""

import csv
import zipfile
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.invoice.facts import RIYADH
from tests.commands.conftest import complaint, run
from tests.installation import BUSINESS

NAME = '=HYPERLINK("http://x")'
MONTH = f"{datetime.now(UTC).astimezone(RIYADH):%Y-%m}"
BY_ISSUE = ("--period", MONTH, "--by", "issue")


@pytest.fixture
def sold(installed, written):
    """Two documents that the authority has, of a buyer whose name looks like a formula."""
    for number in (1, 2):
        assert run("issue", written(number, buyer=BUSINESS | {"name": NAME})).code == 0
    return installed


def test_the_tables_in_both_languages(sold):
    shown = run("vat-report", *BY_ISSUE)
    assert shown.code == 0, shown
    row = next(line for line in shown.out.splitlines() if "Standard-rated sales" in line)
    assert row.split()[-5:] == ["15", "200.00", "0.00", "30.00", "2"]
    assert "Agrees with the XML of 2 documents, to the halala." in shown.out
    assert "Not in here" in shown.out
    arabic = run("vat-report", *BY_ISSUE, "--lang", "ar")
    assert "المبيعات الخاضعة للنسبة الأساسية" in arabic.out
    assert "يطابق ملفات XML" in arabic.out


def test_json_and_the_documents_behind_a_field(sold):
    (shown,) = run("vat-report", *BY_ISSUE, "--json").rows
    assert (shown["total"]["vat"], shown["agrees"]) == ("30.00", True)
    (unproved,) = run("vat-report", *BY_ISSUE, "--json", "--no-proof").rows
    assert unproved == shown | {"agrees": None, "proof": None, "made_at": unproved["made_at"]}
    behind = run("vat-report", *BY_ISSUE, "--box", "standard", "--json").rows
    assert [each["vat"] for each in behind] == ["15.00", "15.00"]
    assert behind[0]["number"] in run("vat-report", *BY_ISSUE, "--box", "standard").out


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_files(sold, tmp_path, lang):
    table, book = tmp_path / "vat.csv", tmp_path / "vat.xlsx"
    assert run("vat-report", *BY_ISSUE, "--csv", table, "--xlsx", book, "--lang", lang).code == 0
    head, *rows = csv.reader(table.read_text("utf-8-sig").splitlines())
    assert [dict(zip(head, row, strict=True))["الضريبة بالريال" if lang == "ar" else "VAT, SAR"] for row in rows] == [
        "15.00"
    ] * 2
    assert all("'" + NAME in row for row in rows)
    sheets = sheets_of(book)
    assert len(sheets) == 4
    assert not [cell for sheet in sheets for cell in sheet.iter("{*}f")]
    assert all(bool(sheet.findall(".//{*}sheetView[@rightToLeft='1']")) == (lang == "ar") for sheet in sheets)
    assert ["200", "0", "30", "2"] in [numbers(row)[-4:] for row in sheets[0].iter("{*}row")]
    assert NAME in "".join(sheets[3].itertext())
    assert ("الإقرار الضريبي" if lang == "ar" else "VAT return") in next(sheets[0].iter("{*}row")).findtext(".//{*}t")
    assert float(sheets[0].find(".//{*}col[@min='1']").get("width")) > 50, "the names of the fields can be read"


def sheets_of(book):
    with zipfile.ZipFile(book) as parts:
        names = sorted(name for name in parts.namelist() if name.startswith("xl/worksheets/sheet"))
        return [etree.fromstring(parts.read(name)) for name in names]


def numbers(row):
    """The cells of a row that are numbers."""
    return [cell.findtext("{*}v") for cell in row.iter("{*}c") if cell.get("t") is None]


def test_what_cannot_be_reported(sold):
    complaint(run("vat-report", "--period", "July"), "no period")
    complaint(run("vat-report", *BY_ISSUE, "--unit", "none"), "none")
    complaint(run("vat-report", *BY_ISSUE, "--taxpayer", "1"), "no taxpayer")
    complaint(run("vat-report", *BY_ISSUE, "--csv", "no/such/folder.csv"), "No such file")
    complaint(run("vat-report", *BY_ISSUE, "--xlsx", "no/such/folder.xlsx"), "No such file")
