"""Units at the command line: one or many into operation, renewed, and how they stand."""

import csv
import io
import json

import pytest

from gateway.simulator import Fault
from gateway.unit_file import CSV_COLUMNS
from tests.commands.conftest import complaint, run
from tests.commands.test_documents import UNIT_JSON
from tests.commands.test_units import unit_file

__all__ = ["unit_file"]


def busy(installed, endpoint, times=1):
    installed.authority.faults.add(Fault(status=503, endpoint=endpoint, times=times))


# -- a run that broke off ----------------------------------------------------------------------------------------


def test_a_run_goes_on_without_an_otp(installed, unit_file):
    complaint(run("onboard", unit_file), "needs an OTP")
    busy(installed, "compliance/invoices")
    assert "without a new OTP" in complaint(run("onboard", unit_file, "--otp", "123456"), "HTTP 503")
    assert "has a run (onboard) that stopped at checks" in run("units").out
    (row,) = [row for row in run("units", "--json").rows if row["unit"] == "JED1"]
    assert (row["run"]["step"], row["not_after"]) == ("checks", None)
    ended = run("onboard", unit_file, "--json")
    assert (ended.code, ended.rows[0]["unit"], ended.rows[0]["run"]) == (0, "JED1", None)


def test_a_run_that_is_discarded(installed, unit_file):
    busy(installed, "production/csids")
    complaint(run("onboard", unit_file, "--otp", "123456"), "HTTP 503")
    complaint(run("onboard", unit_file, "--restart"), "is discarded")
    assert run("onboard", unit_file, "--restart", "--otp", "123456").code == 0


@pytest.mark.parametrize(
    "arguments", [[], ["--otp", "123456"], ["--csv", "-", "--otp", "123456"], ["--csv", "-", "--restart"]]
)
def test_what_cannot_be_meant(installed, arguments):
    complaint(run("onboard", *arguments), "Usage: ")


def test_an_otp_is_in_no_output(installed, unit_file):
    for otp in ("111111", "123456"):
        ended = run("onboard", unit_file, "--otp", otp)
        assert otp not in ended.out + ended.err


# -- renewal -----------------------------------------------------------------------------------------------------


def test_a_renewal(installed, monkeypatch, written):
    assert run("issue", written(1)).code == 0
    complaint(run("renew", "RUH1"), "needs an OTP")
    busy(installed, "compliance/invoices")
    complaint(run("renew", "RUH1", "--otp", "123456"), "HTTP 503")
    ended = run("renew", "RUH1")
    assert ended.code == 0
    assert "Unit RUH1 may issue until" in ended.out
    assert "its chain begins at 1" in ended.out
    assert run("issue", "--json", written(2)).rows[0]["icv"] == 1
    monkeypatch.setenv("GATEWAY_CHAIN_AFTER_RENEWAL", "continue")
    assert "its chain goes on at 2" in run("renew", "RUH1", "--otp", "123456").out
    assert run("issue", "--json", written(3)).rows[0]["icv"] == 2
    assert run("renew", "RUH1", "--otp", "123456", "--json").rows[0]["documents"] == 2


def test_what_cannot_be_renewed(installed, unit_file):
    complaint(run("renew", "NONE", "--otp", "123456"), "no unit NONE")
    complaint(run("onboard", unit_file), "needs an OTP")
    complaint(run("renew", "JED1", "--otp", "123456"), "does not exist yet")


# -- how they stand ----------------------------------------------------------------------------------------------


@pytest.fixture
def _nothing_stays_revoked(installed):
    yield
    for csid in installed.authority.state.csids.values():
        csid.revoked_at = None


@pytest.mark.usefixtures("_nothing_stays_revoked")
def test_a_certificate_that_was_revoked_is_found_when_asked_for(installed, written):
    (before,) = run("units", "--json").rows
    assert (before["revoked"], before["warning"]) == (None, None)
    assert 1800 < before["days_left"] < 1830
    for csid in installed.authority.state.csids.values():
        csid.revoked_at = installed.authority.state.now()
    assert run("units", "--json").rows[0]["revoked"] is None  # nobody looked
    shown = run("units", "--check").out
    assert "revoked 20" in shown
    assert "was revoked, so nothing is issued with it" in shown
    assert run("units", "--json").rows[0]["revoked"] > "2026"
    assert "was revoked" in run("issue", written(1)).err


def test_a_doubt_about_a_list_is_shown(installed, monkeypatch):
    monkeypatch.setattr(installed.authority.state, "revocation_list", lambda: b"")
    assert "RUH1: The list of revoked certificates at" in run("units", "--check").out


# -- many --------------------------------------------------------------------------------------------------------


def flattened(described):
    flat = {}
    for name, value in described.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": each for inner, each in flattened(value).items()}
        else:
            flat[name] = value
    return flat


def row(number, otp="123456", **changes):
    described = flattened(json.loads(UNIT_JSON))
    described |= {"id": f"POS{number}", "number_prefix": "", "common_name": f"POS{number}", "otp": otp}
    return described | {"serial": f"1-gateway|2-1.0|3-{number}", "invoice_types": "0100"} | changes


def table_of(tmp_path, *rows, delimiter=",", encoding="utf-8"):
    file = tmp_path / "units.csv"
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(text.getvalue(), encoding=encoding)
    return file


def test_the_template_has_the_columns_of_a_unit_file():
    columns = run("onboard", "--csv-template").out.strip().split(",")
    assert columns[-1] == "otp"
    assert set(flattened(json.loads(UNIT_JSON))) <= set(columns)
    assert "taxpayer.address.postal_code" in columns


def test_many_units_one_of_which_fails_and_the_rest_when_repeated(installed, tmp_path):
    file = table_of(tmp_path, row(1), row(2, otp="111111"), row(3, common_name="bad*name"), row(4))
    ended = run("onboard", "--csv", file, "--json")
    assert ended.code == 1
    assert [(each["line"], each["unit"], each["state"]) for each in ended.rows] == [
        (2, "POS1", "onboarded"),
        (3, "POS2", "failed"),
        (4, "POS3", "failed"),
        (5, "POS4", "onboarded"),
    ]
    assert "OTP is invalid" in ended.rows[1]["error"]
    assert ended.rows[1]["error_ar"]
    assert "characters" in ended.rows[2]["error"]
    file = table_of(tmp_path, row(1, otp=""), row(2), row(3), row(4, otp=""))
    asked = len(installed.authority.state.exchanges)
    ended = run("onboard", "--csv", file)
    assert ended.code == 0
    assert "4 of 4 units may issue." in ended.out
    assert ended.out.count("in operation") == 2
    assert ended.out.count("onboarded") == 2
    assert len(installed.authority.state.exchanges) - asked == 2 * 5
    assert "123456" not in ended.out + ended.err


def test_rows_go_on_where_they_stopped(installed, tmp_path):
    file = table_of(tmp_path, row(1), row(2))
    busy(installed, "production/csids")
    ended = run("onboard", "--csv", file)
    assert ended.code == 1
    assert "1 of 2 units may issue." in ended.out
    assert "HTTP 503" in ended.out.replace("\n", " ")
    assert "repeat the command" in ended.out
    asked = len(installed.authority.state.exchanges)
    assert run("onboard", "--csv", file).code == 0
    assert len(installed.authority.state.exchanges) - asked == 1


def test_a_changed_row_is_onboarded_anew_only_if_its_certificate_says_so(installed, tmp_path):
    run("onboard", "--csv", table_of(tmp_path, row(1)))
    moved = {"taxpayer.address.street": "King Road"}
    assert run("onboard", "--csv", table_of(tmp_path, row(1, **moved)), "--json").rows[0]["state"] == "in operation"
    moved = {"location": "JEDA1234"}
    assert run("onboard", "--csv", table_of(tmp_path, row(1, **moved)), "--json").rows[0]["state"] == "onboarded"


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), (",", "utf-8-sig")])
def test_tables_as_spreadsheets_write_them(installed, tmp_path, delimiter, encoding):
    file = table_of(tmp_path, row(1), delimiter=delimiter, encoding=encoding)
    file.write_bytes(file.read_bytes() + delimiter.encode() * (len(CSV_COLUMNS) - 1) + b"\r\n")
    assert run("onboard", "--csv", file, "--json").rows[0]["state"] == "onboarded"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "missing"),
        (b"id,otp\nA,1\n", "taxpayer.name"),
        ((",".join(CSV_COLUMNS) + ",color\n").encode(), "color unknown"),
        ((",".join(CSV_COLUMNS) + ",otp\n").encode(), "one is there twice"),
        ((",".join(CSV_COLUMNS) + "\n").encode(), "0 units"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 200_000 + b"\n", "cannot be read"),
        (",".join(CSV_COLUMNS).encode() + b"\rPOS1\r", "cannot be read"),
    ],
)
def test_what_is_no_table_of_units(installed, content, says):
    ended = run("onboard", "--csv", "-", stdin=content)
    complaint(ended, says)


def test_rows_that_cannot_be_used_say_why(installed, tmp_path):
    file = table_of(tmp_path, row(1), row(1), row(2, **{"taxpayer.vat": "12"}), row(3, **{"number_prefix": "POS1-"}))
    ended = run("onboard", "--csv", file, "--json")
    assert [each["state"] for each in ended.rows] == ["onboarded", "failed", "failed", "failed"]
    assert "stands in line 2 already" in ended.rows[1]["error"]
    assert "taxpayer.vat" in ended.rows[2]["error"]
    assert "belongs to unit POS1" in ended.rows[3]["error"]
    file.write_text(file.read_text().splitlines()[0] + "\nA,B," + "," * (len(CSV_COLUMNS) + 3) + "x\n")
    assert run("onboard", "--csv", file, "--json").rows[0]["state"] == "failed"


# -- who issues --------------------------------------------------------------------------------------------------


def test_a_shop_that_cannot_be_asked_is_connected_on_somebodys_word(installed, tmp_path):
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"access_token": "t", "webhook": "w"}')
    arguments = ["connect", "salla-1", "--unit", "RUH1", "--platform", "salla", "--secrets", secrets]
    arguments += ["--url", "http://127.0.0.1:9"]
    complaint(run(*arguments), "cannot be told")
    ended = run(*arguments, "--unchecked-issuer")
    assert ended.code == 0
    assert "set the invoice provider to custom" in ended.out


def test_an_erp_is_connected_with_a_word_on_its_own_issuing(installed):
    assert "l10n_sa_edi" in run("connect", "erp-2", "--unit", "RUH1").out
