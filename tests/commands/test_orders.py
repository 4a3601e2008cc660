"""Orders on the command line: read, shown beforehand, issued, and what became of them."""

import json
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from gateway import ubl
from gateway.chain import first_link
from gateway.demo import orders
from gateway.order import read_order
from gateway.simulator import Fault
from tests.commands.conftest import complaint, run
from tests.erp_documents import erp_document
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT

SAMPLES = [(platform, name) for platform in ("woocommerce", "salla") for name in orders(platform)]


def sample(platform, name):
    return files("gateway.demo") / "orders" / platform / f"{name}.json"


# -- map and preview -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("platform", "name"), SAMPLES, ids="-".join)
def test_a_shops_payload_as_an_order(platform, name):
    ended = run("map", platform, sample(platform, name))
    if name == "does_not_close":
        assert ended.code == 1
        assert "Would be quarantined" in ended.err
        assert "does not close" in ended.err
    else:
        assert (ended.code, ended.err) == (0, "Closes.\n")
        assert read_order(ended.raw).connection == platform


def test_a_document_that_would_break_rules_is_foreseen(written, tmp_path):
    payload = json.loads(sample("woocommerce", "several_lines").read_bytes())
    payload["line_items"][0]["name"] = "تي"
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(payload))
    mapped = run("map", "woocommerce", file)
    assert mapped.code == 1
    assert "Would be quarantined: The document would break BR-KSA-F-06-C19 (lines[0].name)" in mapped.err
    shown = run("preview", written(1, flags=["summary"]))
    assert shown.code == 1
    assert "buyer.name: " in shown.err
    assert "(BR-KSA-71)" in shown.err


def test_a_mapped_order_can_be_previewed():
    mapped = run("map", "woocommerce", sample("woocommerce", "business")).raw
    ended, direct = (
        run("preview", "-", stdin=mapped),
        run("preview", "--platform", "woocommerce", sample("woocommerce", "business")),
    )
    assert (ended.code, direct.code) == (0, 0)
    assert ubl.read(ended.raw).invoice == ubl.read(direct.raw).invoice


def test_a_preview_shows_what_would_be_issued(written, tmp_path):
    ended = run("preview", "--json", written(1, buyer=BUSINESS))
    assert ended.code == 0
    (shown,) = ended.rows
    assert shown["totals"] == {
        "without_vat": "100.00",
        "vat": "15.00",
        "with_vat": "115.00",
        "rounding": "0.00",
        "prepaid": "0.00",
        "payable": "115.00",
        "currency": "SAR",
    }
    assert (shown["valid"], shown["findings"]) == (True, [])
    content = ubl.read(shown["xml"].encode())
    assert (content.link, content.heading.number) == (first_link(), "RUH1-000001")
    assert list(tmp_path.glob("empty")) == [], "a preview opens no ledger"


def test_a_preview_for_a_unit_of_ones_own(written, tmp_path):
    described = json.loads((files("gateway.demo") / "unit.json").read_bytes()) | {"id": "JED1", "number_prefix": "J-"}
    described["taxpayer"] |= {"name": "My Store", "vat": "310122393500003"}
    unit = tmp_path / "unit.json"
    unit.write_text(json.dumps(described))
    content = ubl.read(run("preview", "--unit", unit, written(1)).raw)
    assert (content.invoice.seller.name, content.invoice.seller.vat) == ("My Store", "310122393500003")
    assert content.heading.number == "J-000001"


def test_sums_that_do_not_close_are_exit_1(written):
    ended = run("preview", written(1, declared={"grand": "200.00"}))
    assert ended.code == 1
    assert "200.00" in ended.err
    assert "115.00" in ended.err


@pytest.mark.parametrize(
    "command", [["map", "woocommerce"], ["preview"], ["preview", "--platform", "salla"], ["issue"]]
)
@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "null", '{"a": 1}', "[" * 100_000], ids=lambda text: text[:8] or "empty"
)
def test_what_is_no_order(command, content, tmp_path, installed):
    file = tmp_path / "no.json"
    file.write_text(content)
    ended = run(*command, file)
    assert ended.code in (1, 2) if command[0] == "map" else ended.code == 2
    assert ended.err.strip()
    assert "Traceback" not in ended.err


def test_a_setting_needs_its_value():
    complaint(
        run("map", "woocommerce", sample("woocommerce", "business"), "--setting", "vat_number_key"), "has no value"
    )
    complaint(run("map", "opencart", sample("woocommerce", "business")), "Usage: ")


# -- issue and status ------------------------------------------------------------------------------------------


def test_issue_and_see_it_accepted(installed, written):
    ended = run("issue", "--json", written(1, buyer=BUSINESS))
    assert ended.code == 0
    (shown,) = ended.rows
    assert (shown["status"], shown["number"], shown["icv"]) == ("cleared", "RUH1-000001", 1)
    assert run("issue", "--json", written(1, buyer=BUSINESS)).rows == [shown]
    for asked in ("RUH1-000001", shown["uuid"], f"{CONNECTION}/SO-1"):
        assert run("status", "--json", asked).rows == [shown]
    table = run("status").out
    assert "RUH1-000001" in table
    assert "cleared" in table


def test_issue_without_waiting(installed, written):
    (shown,) = run("issue", "--json", "--no-wait", written(1)).rows
    assert shown["status"] == "issued"
    assert run("work", "--once").code == 0
    assert run("status", "--json", shown["uuid"]).rows[0]["status"] == "reported"


def test_a_rejected_document_is_exit_1_with_its_reason(installed, written):
    message = {"code": "BR-KSA-15", "category": "KSA", "message": "no supply date"}
    body = json.dumps({"validationResults": {"errorMessages": [message]}, "reportingStatus": "NOT_REPORTED"})
    installed.authority.faults.add(Fault(status=400, body=body))
    ended = run("issue", written(1))
    assert ended.code == 1
    assert "rejected" in ended.out
    assert "BR-KSA-15: no supply date" in ended.out


def test_an_authority_that_is_down_is_not_a_failure_of_the_order(installed, written):
    installed.authority.faults.add(Fault(status=503))
    ended = run("issue", "--json", written(1))
    assert (ended.code, ended.rows[0]["status"]) == (0, "unknown")


def test_what_cannot_be_issued(installed, written):
    complaint(run("issue", written(1, connection="nobody")), "no connection nobody")
    complaint(run("issue", written(1, unit="JED1")), "no unit JED1")
    complaint(run("issue", written(1, currency="XYZ", fx={"rate": "1"})), "XYZ")
    complaint(run("issue", written(1, declared={"grand": "116.00"})), "does not close")
    complaint(run("issue", written(1), "--taxpayer", "310122393500003"), "no taxpayer 310122393500003")
    run("issue", written(1))
    complaint(run("issue", written(1, note="changed")), "RUH1-000001")
    assert [row["icv"] for row in run("status", "--json").rows] == [1]


def test_what_is_asked_for_and_not_there(installed):
    complaint(run("status", "RUH1-999999"), "no document RUH1-999999")
    complaint(run("status", "a/b"), "no document a/b")
    assert run("status", "--json").rows == []


def test_an_empty_installation_says_where_to_begin(written):
    for arguments in (["status"], ["issue", written(1)], ["keys", "list"], ["connect", "erp", "--unit", "X"]):
        assert "gateway onboard" in complaint(run(*arguments), "no taxpayer here yet")


def test_the_newest_come_first_and_no_more_than_asked_for(installed, written):
    for number in range(1, 5):
        run("issue", "--no-wait", written(number))
    assert [row["icv"] for row in run("status", "--json", "--limit", "2").rows] == [4, 3]
    assert (OWNER, UNIT.id) == (UNIT.taxpayer_id, "RUH1")


# -- an ERP's own document -------------------------------------------------------------------------------------


def test_an_erps_own_document_is_judged_and_then_issued(installed, tmp_path):
    file = tmp_path / "B-1.xml"
    file.write_bytes(erp_document("B-1", datetime.now(UTC), business=True))
    dry = run("issue", "--document", CONNECTION, "--dry-run", file)
    assert (dry.code, dry.out) == (0, "B-1 would be issued.\n")
    (shown,) = run("issue", "--document", CONNECTION, "--json", file).rows
    assert (shown["status"], shown["number"], shown["icv"]) == ("cleared", "B-1", 1)
    assert run("issue", "--document", CONNECTION, "--json", file).rows == [shown]
    file.write_bytes(erp_document("B-2", datetime.now(UTC), gross="115.10"))
    refused = run("issue", "--document", CONNECTION, "--dry-run", file)
    assert refused.code in (1, 2)
    assert "BR-CO-15" in refused.out + refused.err
    complaint(run("issue", "--dry-run", file), "need --document")


def test_an_erps_own_document_is_archived_exported_and_proved_as_any_other(installed, tmp_path):
    file, package = tmp_path / "B-1.xml", tmp_path / "package.zip"
    for number, business in (("B-1", True), ("B-2", False)):
        file.write_bytes(erp_document(number, datetime.now(UTC), business=business))
        assert run("issue", "--document", CONNECTION, file).code == 0
    assert run("work", "--once").code == 0
    (stored,) = run("archive", "status", "--json").rows
    assert (stored["files"] > 0, stored["waiting"]) == (True, 0)
    assert run("export", package).code == 0
    assert run("verify", package, "--jobs", 1).out.endswith("Nothing is wrong.\n")
    assert run("doctor").code == 0
