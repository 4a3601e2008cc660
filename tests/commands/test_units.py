"""For whoever runs it: onboarding, connections, keys, settings, and what keeps a gateway from opening."""

import base64
import json
import os
import stat
import subprocess
import sys

import pytest

from gateway.simulator import Fault
from tests.commands.conftest import complaint, run, run_process
from tests.commands.test_documents import UNIT_JSON
from tests.installation import CONNECTION, OWNER, UNIT


@pytest.fixture
def unit_file(tmp_path):
    """A unit that is not onboarded yet."""
    file = tmp_path / "unit.json"
    described = json.loads(UNIT_JSON) | {"id": "JED1", "number_prefix": "JED1-", "common_name": "JED1"}
    described["serial"] = "1-gateway|2-1.0|3-jed"
    file.write_text(json.dumps(described))
    return file


# -- onboard, units --------------------------------------------------------------------------------------------


def test_a_unit_from_nothing_to_its_first_document(tmp_path, unit_file, monkeypatch, installed):
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "new"))
    assert "There is no unit yet. Begin with `gateway onboard" in run("units").out
    assert run("units", "--json").rows == []
    ended = run("onboard", unit_file, "--otp", "123456")
    assert ended.code == 0
    assert "Unit JED1 may issue until" in ended.out
    (row,) = run("units", "--json").rows
    assert (row["taxpayer"], row["unit"], row["environment"], row["documents"]) == (OWNER, "JED1", "sandbox", 0)
    assert row["certificate_until"] > "2026"
    assert run("connect", "erp", "--unit", "JED1").code == 0
    order = {"connection": "erp", "id": "1", "placed_at": "2026-11-23T10:00:00+03:00", "prices_include_tax": True}
    line = {"id": "1", "name": "Tea", "quantity": "1", "unit_price": "115.00", "tax": {"category": "S", "rate": "15"}}
    ended = run("issue", "--json", "-", stdin=json.dumps(order | {"lines": [line]}).encode())
    assert (ended.code, ended.rows[0]["number"], ended.rows[0]["status"]) == (0, "JED1-000001", "reported")
    assert run("units", "--json").rows[0]["documents"] == 1
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_wrong_otp(installed, unit_file):
    complaint(run("onboard", unit_file, "--otp", "111111"), "OTP is invalid")
    assert "not onboarded" in run("units").out
    assert run("onboard", unit_file, "--otp", "123456").code == 0
    assert "not onboarded" not in run("units").out


def test_an_authority_that_does_not_answer(installed, unit_file):
    installed.authority.faults.add(Fault(status=503))
    complaint(run("onboard", unit_file, "--otp", "123456"), "HTTP 503")


def test_an_authority_that_is_not_there(installed, unit_file, monkeypatch):
    monkeypatch.setenv("GATEWAY_AUTHORITY_URL", "http://127.0.0.1:9")
    complaint(run("onboard", unit_file, "--otp", "123456"), "No answer came from the authority")
    monkeypatch.setenv("GATEWAY_AUTHORITY_URL", "http://authority.example")
    complaint(run("onboard", unit_file, "--otp", "123456"), "must begin with https")


# -- connect, keys ---------------------------------------------------------------------------------------------


@pytest.fixture
def secrets(tmp_path):
    file = tmp_path / "secrets.json"
    file.write_text('{"key": "ck_1", "secret": "cs_1", "webhook": "wh_1"}')
    return file


def test_a_shop_is_connected_and_learns_where_to_send_its_webhooks(installed, secrets):
    arguments = ["--platform", "woocommerce", "--unit", UNIT.id, "--url", "https://shop.example", "--secrets", secrets]
    arguments += ["--unchecked-issuer"]  # there is no such shop
    ended = run("connect", "my-shop", *arguments)
    assert ended.code == 0
    assert "/v1/hooks/my-shop" in ended.out
    assert "cs_1" not in ended.out + ended.err
    complaint(run("connect", "my-shop", *arguments), "my-shop")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["erp-2", "--unit", "JED1"], "no unit JED1"),
        ([CONNECTION, "--unit", "RUH1"], CONNECTION),
        (["shop", "--unit", "RUH1", "--platform", "woocommerce"], "needs its address and its credentials"),
        (["a b", "--unit", "RUH1"], "cannot be an id"),
        (["shop", "--unit", "RUH1", "--platform", "opencart"], "Usage: "),
        (["shop", "--unit", "RUH1", "--cutover", "yesterday"], "Usage: "),
        (["shop", "--unit", "RUH1", "--secrets", "none.json"], "none.json cannot be read"),
    ],
)
def test_what_cannot_be_connected(installed, arguments, says):
    complaint(run("connect", *arguments), says)


@pytest.mark.parametrize("content", ["[]", '{"key": 1}', '"x"', "{"])
def test_secrets_that_are_none(installed, tmp_path, content):
    file = tmp_path / "secrets.json"
    file.write_text(content)
    complaint(run("connect", "shop", "--unit", "RUH1", "--secrets", file), "secrets.json")


def test_a_key_is_shown_once(installed):
    key = run("keys", "add", "--role", "auditor", "--label", "[the auditor]").out.strip()
    assert key.startswith("gw_test_")
    listed = run("keys", "list").out
    key_id, secret = key.split("_", 3)[2:]
    assert key_id in listed
    assert "[the auditor]" in listed
    assert secret not in listed
    assert run("keys", "revoke", key_id).code == 0
    assert "revoked" in run("keys", "list").out
    assert {"id": key_id, "role": "auditor", "state": "revoked"}.items() <= run("keys", "list", "--json").rows[
        -1
    ].items()
    complaint(run("keys", "revoke", "0000000000"), "0000000000")


# -- settings --------------------------------------------------------------------------------------------------


def test_every_setting_with_meaning_default_and_value(monkeypatch):
    secret = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("GATEWAY_MASTER_KEY", secret)
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway:hunter2@db/gateway")
    monkeypatch.setenv("GATEWAY_PORT", "9000")
    ended = run("settings", "--json")
    (shown,) = ended.rows
    assert all(each["meaning"] and {"value", "default"} <= each.keys() for each in shown.values())
    assert (shown["GATEWAY_PORT"]["value"], shown["GATEWAY_PORT"]["default"]) == ("9000", "8000")
    table = run("settings").out
    assert all(name in table for name in shown)
    for hidden in (secret, "hunter2"):
        assert hidden not in ended.out + table


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "eighty"),
        ("ENVIRONMENT", "live"),
        ("MAX_BODY", "-1"),
        ("AUTHORITY_TIMEOUT", "soon"),
        ("SUBMISSIONS_IN_FLIGHT", "1000"),
        ("LOG_FORMAT", "xml"),
        ("ALLOW_PRIVATE_SHOPS", "maybe"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"GATEWAY_{name}", value)
    for command in (["settings"], ["status"], ["serve"]):
        complaint(run(*command), f"GATEWAY_{name}")


# -- what keeps a gateway from opening -------------------------------------------------------------------------


def test_a_home_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nowhere"):
        monkeypatch.setenv("GATEWAY_HOME", str(home))
        assert str(home).split("/")[1] in complaint(run("units"), "")


def test_another_master_key_than_the_ledger_was_sealed_with(installed, monkeypatch):
    monkeypatch.setenv("GATEWAY_MASTER_KEY", base64.b64encode(b"k" * 32).decode())
    complaint(run("units"), "not the master key")


@pytest.mark.parametrize("key", ["", "short", base64.b64encode(b"k" * 31).decode(), "ü" * 44])
def test_a_master_key_that_is_none(monkeypatch, tmp_path, key):
    file = tmp_path / "master.key"
    file.write_text(key)
    file.chmod(0o600)
    monkeypatch.setenv("GATEWAY_MASTER_KEY_FILE", str(file))
    ended = complaint(run("units"), "master.key does not hold 32 bytes")
    assert "openssl rand" in ended
    file.chmod(0o644)
    complaint(run("units"), "can be read by others")
    file.unlink()
    complaint(run("units"), "master.key cannot be read")


def test_production_without_a_master_key(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWAY_ENVIRONMENT", "production")
    complaint(run("units"), "In production a master key is mandatory")
    assert not list(tmp_path.rglob("development.key"))


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:hunter2@db/x", "postgresql://u:hunter2@127.0.0.1:9/x"])
def test_a_database_that_cannot_be_opened(monkeypatch, url):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    assert "hunter2" not in complaint(run("units"), "")


def test_a_file_that_is_no_ledger(monkeypatch, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.db").write_bytes(b"this is not a database" * 100)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    complaint(run("units"), "")


# -- in processes of their own ---------------------------------------------------------------------------------


def test_a_real_process_agrees(tmp_path):
    home = tmp_path / "new"
    complaint(run_process("status", GATEWAY_HOME=str(home)), "no taxpayer here yet")
    assert stat.S_IMODE((home / "development.key").stat().st_mode) == 0o600


def test_python_without_assertions_is_refused(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-O", "-m", "gateway", "units"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "GATEWAY_HOME": str(tmp_path / "home")},
    )
    assert ended.returncode == 2
    assert "-O" in ended.stderr
    assert "Traceback" not in ended.stderr
